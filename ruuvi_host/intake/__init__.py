"""What has been heard: from report to table to batch. Pure."""

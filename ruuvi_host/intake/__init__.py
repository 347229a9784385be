"""What was received: from report to table to batch, or to readings one by one. Pure."""

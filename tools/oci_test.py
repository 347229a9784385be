"""The image of tools/oci/Containerfile: built and started, without a registry.

    python tools/oci_test.py --package dist/ruuvi-host_0.1.0-1_all.deb
    python tools/oci_test.py --package … --output ruuvi-host.tar      keeps it, as an OCI archive

The image that it stands on is made by mmdebstrap; Debian's own buildah builds, in a root file
system of Debian 13. Then it is started with a simulated board: data has to arrive at a server, as a
user who is not root, and the health check has to say so.

Needs root and mmdebstrap; four minutes, 1.5 GB for the time. Exit status: 0: all went as it should;
1: not; 2: there was nothing to try it in.
"""

import argparse
import shutil
import subprocess
from pathlib import Path

import debian_root
from sources import SOURCE

FOR_APT = ("etc/resolv.conf", "etc/hosts")
"""Of this machine: the archive is asked from in there, too."""
TO_BUILD = """
set -e
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
buildah --version
base=$(buildah from scratch)
buildah add --quiet "$base" base.tar / >/dev/null
buildah commit --quiet "$base" localhost/debian:trixie >/dev/null
# Without these it sets limits that not every machine permits.
limits="--ulimit nofile=1024:4096 --ulimit nproc=1024:4096"
buildah build --quiet $limits --format docker --build-arg BASE=localhost/debian:trixie \
    -t ruuvi-host -f Containerfile . >/dev/null
told='{{.Docker.Config.User}} {{.Docker.Config.Healthcheck.Test}}'
buildah inspect --type image --format "$told" ruuvi-host
buildah push --quiet ruuvi-host oci-archive:ruuvi-host.tar
it=$(buildah from $limits --pull-never ruuvi-host)
buildah run "$it" -- ruuvi-host receive --port 8080 --simulated 1 --json >server.log &
buildah run "$it" -- ruuvi-host run --simulate --url http://127.0.0.1:8080/record --interval 1 \
    --state-dir /var/lib/ruuvi-host &
host=$!
tries=0
until grep -q '"signature": "ok"' server.log && buildah run "$it" -- ruuvi-host status; do
    tries=$((tries + 1))
    test $tries -lt 60 || exit 1
    sleep 1
done
buildah run "$it" -- id
tail -n 1 server.log
"""


def main() -> int:
    about, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path, required=True, help="the Debian package")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the image is kept")
    debian_root.add_options(parser)
    options = parser.parse_args()
    debian_root.need()
    with debian_root.root_of(options.root) as root, debian_root.root_of(None) as base:
        wanted = ("buildah", "ca-certificates", "netavark")
        debian_root.make(root, wanted, mirror=options.mirror, kept=bool(options.root))
        debian_root.make(base, ["ca-certificates"], mirror=options.mirror)
        folder = root / "build"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "dist").mkdir(parents=True)
        shutil.copy(options.package, folder / "dist")
        shutil.copy(SOURCE / "tools" / "oci" / "Containerfile", folder)
        for name in FOR_APT:
            shutil.copyfile(Path("/", name), root / name)
            shutil.copyfile(Path("/", name), base / name)
        tar = ["tar", "-C", str(base), "--numeric-owner", "-cf", str(folder / "base.tar"), "."]
        subprocess.run(tar, check=True)
        # buildah unpacks only where / is a place that something is mounted at.
        at_a_mount = 'mount --rbind / /mnt && exec chroot /mnt sh -c "cd /build; $1"'
        if debian_root.in_root(root, "sh", "-c", at_a_mount, "sh", TO_BUILD, folder="/build"):
            print("WRONG: see above")
            return 1
        image = folder / "ruuvi-host.tar"
        print(f"ok: built and started; {image.stat().st_size >> 20} MiB")
        if options.output:
            shutil.copyfile(image, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

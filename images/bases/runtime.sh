#!/bin/bash
# Completes a runtime base whose packages are extracted but not configured (mmdebstrap calls it with
# the root): what distroless images have too, and nothing that is there only for configuring.
set -euo pipefail
root=$1
control=$root/var/lib/dpkg/status.d
mkdir -p "$control"
for deb in "$root"/var/cache/apt/archives/*.deb; do
    name=$(dpkg-deb --field "$deb" Package)
    case $name in
        debconf | mawk | openssl)
            dpkg-deb --fsys-tarfile "$deb" | tar --list | grep -v '/$' | while read -r file; do
                rm -f "$root/$file"
            done
            ;;
        *) dpkg-deb --field "$deb" > "$control/$name" ;;
    esac
done
# Tools of packages that are there for their libraries and data.
find "$root/usr/bin" "$root/usr/sbin" -mindepth 1 ! -name python3.13 -delete
ln -s python3.13 "$root/usr/bin/python3"
ln -s python3.13 "$root/usr/bin/python"

mkdir -p "$root/etc/ssl/certs"
find "$root/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort | xargs cat \
    > "$root/etc/ssl/certs/ca-certificates.crt"

printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
    nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin > "$root/etc/passwd"
printf '%s\n' root:x:0: nobody:x:65534: nonroot:x:65532: > "$root/etc/group"
install -d -m 0700 -o 65532 -g 65532 "$root/home/nonroot"
# The host's name and resolver, apt's state, and what configuring needs.
for unused in etc/apt etc/dpkg etc/hostname etc/resolv.conf tmp/mmdebstrap.apt.conf.* var/cache/apt var/cache/debconf var/lib/apt \
    var/log/apt usr/share/bash-completion usr/share/debconf usr/share/lintian usr/share/man usr/share/perl5; do
    rm -rf "$root"/$unused
done
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete

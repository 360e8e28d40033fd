#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what tests/runtimes needs and the machine does not have, npm's packages into the folder given.
set -eu
packages="perl ruby php-cli lua5.4 redis-server memcached vim bash util-linux python3-numpy python3-pandas"
# As tools/deps.sh: any node with its headers, any JDK; Debian's only where there is none.
command -v node >/dev/null || packages="$packages nodejs libnode-dev"
command -v npm >/dev/null || packages="$packages npm"
command -v javac >/dev/null || packages="$packages openjdk-17-jdk-headless"
missing=
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
    echo "installing:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null
    # Debian starts servers when they are installed: not here. shellcheck disable=SC2086
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
npm_folder=$1/npm
[ -d "$npm_folder/node_modules/express" ] && [ -d "$npm_folder/node_modules/typescript" ] ||
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$npm_folder" typescript@5 express@4

#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what tests/runtimes needs and the machine does not have, npm's packages into the folder given.
set -eu
npm_folder=$1/npm
if command -v npm >/dev/null; then
    [ -d "$npm_folder/node_modules/express" ] && [ -d "$npm_folder/node_modules/typescript" ] ||
        npm install --silent --no-audit --no-fund --no-package-lock --prefix "$npm_folder" typescript@5 express@4
fi

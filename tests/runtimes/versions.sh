#!/bin/sh
# SPDX-License-Identifier: MIT
# Says which runtimes these tests are about to run, one a line. One that is missing is an error: nothing may be left out.
set -u
npm_folder=$1/npm/node_modules
missing=

# NAME COMMAND...: what the command says first, on either stream
version() {
    name=$1
    shift
    if said=$("$@" 2>&1); then
        printf '%-12s %s\n' "$name" "$(printf '%s\n' "$said" | grep -m 1 .)"
    else
        missing="$missing $name"
    fi
}

package() {
    version "$1" sed -n 's/^ *"version": "\(.*\)".*/\1/p' "$npm_folder/$1/package.json"
}

version java java -version
version javac javac -version
version node node --version
version npm npm --version
package express
package typescript
version python3 /usr/bin/python3 --version
version numpy /usr/bin/python3 -c 'import numpy; print(numpy.__version__)'
version pandas /usr/bin/python3 -c 'import pandas; print(pandas.__version__)'
version perl perl -e 'print "$^V\n"'
version ruby ruby --version
version lua lua5.4 -v
version php php --version
version redis redis-server --version
version memcached memcached --version
version bash bash --version
version vim vim --version
if [ -n "$missing" ]; then
    echo "these runtimes are missing:$missing" >&2
    exit 1
fi

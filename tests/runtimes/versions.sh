#!/bin/sh
# SPDX-License-Identifier: MIT
# Says which runtimes these tests are about to run, one a line. One that is missing is an error, and so is another Java or Node
# than the one that is promised to work: nothing may be left out.
set -u
npm_folder=$1/npm/node_modules
missing=
wrong=

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

# PATTERN WORDS: the one before is to be this
must_be() {
    # shellcheck disable=SC2254
    case $said in
    $1) ;;
    *) wrong="$wrong $name (has to be $2)" ;;
    esac
}

package() {
    version "$1" sed -n 's/^ *"version": "\(.*\)".*/\1/p' "$npm_folder/$1/package.json"
}

version java java -version
must_be '*"17.*' 17
version javac javac -version
must_be '*17.*' 17
version node node --version
must_be 'v20.*' 20
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
[ -z "$missing" ] || echo "these runtimes are missing:$missing" >&2
[ -z "$wrong" ] || echo "these runtimes have another version than the tests are for:$wrong. Put the right one first in PATH" >&2
[ -z "$missing$wrong" ]

# SPDX-License-Identifier: MIT
# Arrays, functions, traps and a here-document, without a child process.
declare -A square
for ((n = 1; n <= 300; n++)); do square[$n]=$((n * n)); done
trap 'echo "bye"' EXIT
answer() {
    local sum=0 all=()
    for n in "$@"; do sum=$((sum + n)) all+=("${square[$n]}"); done
    printf '%d: %s\n' "$sum" "${all[*]}"
}
while read -r -a words; do answer "${words[@]}"; done

#!/usr/bin/env bash
# Generates generated_client/metastudio_client from openapi.yaml; the result is identical on every machine.
# With --check, it changes nothing, and exits with 1 and lists the files if the committed client differs.
set -euo pipefail
cd "$(dirname "$0")"
target=generated_client/metastudio_client
banner="# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change."

case "${1:-}" in
    "" | --check) ;;
    *)
        echo "usage: ./generate.sh [--check]" >&2
        exit 2
        ;;
esac

scripts/setup
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
export PATH="$PWD/.venv/bin:$PATH" RUFF_NO_CACHE=true PYTHONDONTWRITEBYTECODE=1 # the generator calls ruff
openapi-python-client generate --path openapi.yaml --config codegen/config.yaml \
    --custom-template-path codegen/templates --meta none --output-path "$new/client" --fail-on-warning
touch "$new/client/py.typed"
find "$new/client" -name '*.py' -print0 | while IFS= read -r -d '' file; do
    printf '%s\n' "$banner" | cat - "$file" > "$new/file"
    cat "$new/file" > "$file"
done

if [ "${1:-}" = --check ]; then
    if ! diff --recursive --brief --exclude __pycache__ "$target" "$new/client"; then
        echo "generated_client is out of date: run ./generate.sh and commit the result." >&2
        exit 1
    fi
    echo "generated_client is up to date."
    exit 0
fi
mkdir -p "$(dirname "$target")"
rm -rf "$target"
mv "$new/client" "$target"
echo "Wrote $target."

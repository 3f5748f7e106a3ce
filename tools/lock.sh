#!/bin/sh
# Writes requirements.lock and those to test and to compile with the uv that is given: for every Python and platform
# that pyproject.toml allows, each version pinned, each file known by its hash. No index is named in them.
set -eu
uv=$1
compile() {
    UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-config --annotation-style line --upgrade "$@"
}
compile --group build --output-file requirements.lock
compile --group build --group dev --constraint requirements.lock --output-file requirements-dev.lock
compile --group build --group wheel --constraint requirements-dev.lock --output-file requirements-wheel.lock

#!/bin/sh
# Succeeds where Servery can be compiled for the Python that is given, or names on one line all that this machine lacks
# and the command that brings it.
python=$1
said_by_python() {
    "$python" -c "import sysconfig; print(sysconfig.$1)"
}

compiler=$(said_by_python 'get_config_var("CC") or "cc"')
headers=$(said_by_python 'get_path("include", "posix_prefix")')
lacks=
packages=
if ! command -v "${CC:-${compiler%% *}}" >/dev/null; then
    lacks="a C compiler"
    packages=" gcc"
fi
if [ ! -r "$headers/Python.h" ]; then
    lacks="${lacks:+$lacks, }Python's headers"
    packages="$packages python3-dev"
fi

if [ -n "$lacks" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo="sudo "
    echo "the compiled wheel needs $lacks: ${sudo}apt-get install$packages" >&2
    exit 1
fi

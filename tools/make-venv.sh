#!/usr/bin/env bash
# Makes a virtual environment with pip in it: venv where the system has all of it, else what it has.
set -eu
python=$1 venv=$2
[ -n "$python" ] || exit 1
if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
  rm -rf "$venv"
  if command -v uv >/dev/null; then
    uv venv --quiet --seed --python "$python" "$venv"
  elif "$python" -m virtualenv --version >/dev/null 2>&1; then
    "$python" -m virtualenv --quiet "$venv"
  elif "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --without-pip "$venv"
    "$python" -m pip --quiet --python "$venv/bin/python" install pip
  else
    echo "$python can make no virtual environment; on Debian: apt-get install python3-venv" >&2
    exit 1
  fi
fi

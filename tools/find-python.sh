#!/usr/bin/env bash
# Prints the first Python that is new enough; a message on stderr where there is none.
set -u
for python in python3 python3.13 python3.12 python3.11; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    command -v "$python"
    exit 0
  fi
done
echo "no Python >= 3.11 found; install one, or say make PYTHON=/path/to/python3" >&2
exit 1

#!/bin/sh
# The story of `make demo`: an experiment, a sweep of it, a training, and a report of each.
# Needs `ember` on PATH and nothing from the network. Everything it writes is under runs/demo.
set -eu
cd "$(dirname "$0")/.."
out=runs/demo
started=$(date +%s)

say() { printf '\n\033[1m%s\033[0m\n' "$1"; }

# Only what this script wrote: a demo starts from nothing, so that it always shows the same.
rm -rf "$out"
mkdir -p "$out"

say "1/4  A loud voice and a burn reach the brain (ember run startle)"
ember run startle --out "$out/startle.h5"

say "2/4  How much noradrenaline for how much gain (ember sweep startle_sweep)"
ember sweep startle_sweep --out "$out/sweep" --workers 2

say "3/4  A reasoning model learns calm from distressed voices (ember train voices_tiny)"
ember train voices_tiny --out "$out/training"

say "4/4  Pages to look at (ember report)"
ember report "$out/startle.h5" --out "$out/startle.html"
ember report "$out/sweep" --out "$out/sweep/report.html"
ember report "$out/training" --out "$out/training/report.html"

say "Done in $(($(date +%s) - started)) s. Open in a browser:"
find "$out" -name '*.html' | sort | sed 's/^/  /'
echo "Spikes, traces and modulators (HDF5):"
find "$out" -name '*.h5' | sort | sed 's/^/  /'
echo "Pictures and tables:"
find "$out" \( -name '*.png' -o -name '*.csv' -o -name '*.parquet' \) | sort | sed 's/^/  /'

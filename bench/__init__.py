"""Measures Strongroom beside pgbench and its peers on this machine; `make bench` prints ratios, `docs/performance.md` keeps them."""

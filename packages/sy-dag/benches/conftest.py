"""Benches are run by tools/bench, which knows the way to its peers; pytest leaves them alone."""

collect_ignore_glob = ["bench_*.py"]

"""The sandbox's own API under `/admin`, for tests, the demo and the benchmarks."""

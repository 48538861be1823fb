"""The long form of these tests: LONG_TESTS=1 pytest tests/reliability"""

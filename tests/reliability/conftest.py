"""The long form of these tests: BATCHRUNNER_LONG=1 pytest tests/reliability"""

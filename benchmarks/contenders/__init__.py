"""Programs that answer a file of jobs, each as its own users would write it.

All are started alike, ``python -m benchmarks.contenders.NAME INPUT OUTPUT URL --concurrency N``,
and measured from outside. A certificate is trusted by ``SSL_CERT_FILE``.
"""

"""What can be done about calls that brought nothing, by how they ended: tables. Pure."""

from collections.abc import Mapping

#: Outcomes that are no fault of the region's own.
NO_FAULT = frozenset(
    {"refused", "oversized", "invalid", "barred", "local", "cancelled", "overtaken"}
)
#: Faults of a region that have a remedy of their own.
FAULTS: Mapping[str, str] = {
    "timeout": "Raise --timeout where answers are long; else let other regions go first.",
    "connect": "Look at the endpoint's name and the network.",
    "reset": "Look at proxies and firewalls on the way.",
}

#: What limits that throttle are called, where a list names them beside errors.
THROTTLES: Mapping[str, str] = {
    "requests": "throttled for requests",
    "tokens": "throttled for tokens",
    "capacity": "throttled for lack of capacity",
    "other": "throttled without a reason",
}

#: What to do about calls that brought nothing, by their cause.
REMEDIES: Mapping[str, str] = {
    "requests": "set the region's …_RPM_n to its real limit, so that none is tried in vain",
    "tokens": "set the region's …_TPM_n to its real limit, or lower max_tokens",
    "other": "where the throughput is provisioned, lower the region's …_CONCURRENCY_n; else ask "
    "who runs the service which limit that is",
    "capacity": "use other hours, another region, or provisioned throughput",
    "timeout": "raise --timeout, or ask for shorter answers",
    "connect": "look at the endpoint's name and the network",
    "reset": "look at proxies and firewalls on the way",
    "barred": "put right what took the region out: its key, deployment or endpoint",
    "oversized": "lower max_tokens, or ask for quota where the limit is smaller than a job",
    "local": "raise the limit of open files (ulimit -n), or lower --concurrency",
    "invalid": "make the schema or the prompt easier to follow",
    "overtaken": "leave out --hedge, if its time is not worth the money",
    "cancelled": "after one Ctrl-C, give requests in flight the time to end",
}
OTHERWISE = "see the health of the service, and keep a region in reserve"

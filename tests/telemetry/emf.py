"""CloudWatch's Embedded Metric Format, as rules: what its specification demands of a document and
what the JSON schema at its end adds.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

MAX_BYTES = 256 * 1024
RATES = ["Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"]
RATES += ["Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Count"]
UNITS = {"Seconds", "Microseconds", "Milliseconds", "Percent", "None", *RATES}
UNITS |= {f"{unit}/Second" for unit in RATES}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_name(value):
    return isinstance(value, str) and 1 <= len(value) <= 255 and "\n" not in value


def problems_of_metric(metric, root):
    if not isinstance(metric, dict) or not is_name(metric.get("Name")):
        yield f"a metric without a name: {metric}"
        return
    name, value = metric["Name"], root.get(metric["Name"])
    if set(metric) - {"Name", "Unit", "StorageResolution"}:
        yield f"metric {name} has members that nobody knows: {metric}"
    if "Unit" in metric and metric["Unit"] not in UNITS:
        yield f"metric {name} has no unit of CloudWatch's: {metric['Unit']}"
    if metric.get("StorageResolution", 60) not in (1, 60):
        yield f"metric {name} has another resolution than 1 and 60"
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) > 100 or not all(is_number(number) for number in numbers):
        yield f"metric {name} has no number: {value!r}"


def problems_of_directive(directive, root):
    if not isinstance(directive, dict):
        yield f"a directive that is no object: {directive}"
        return
    if set(directive) != {"Namespace", "Dimensions", "Metrics"}:
        yield f"members of a directive: {sorted(directive)}"
    if not is_name(directive.get("Namespace")):
        yield f"namespace {directive.get('Namespace')!r}"
    sets = directive.get("Dimensions")
    if not isinstance(sets, list) or not sets:
        yield f"dimensions {sets!r}"
        sets = []
    for names in sets:
        if not isinstance(names, list) or len(names) > 9:
            yield f"a set of dimensions: {names!r}"
            continue
        for name in names:
            if not is_name(name):
                yield f"a dimension's name: {name!r}"
            elif not isinstance(root.get(name), str) or not 1 <= len(root[name]) <= 1024:
                yield f"dimension {name} has no text: {root.get(name)!r}"
    metrics = directive.get("Metrics")
    if not isinstance(metrics, list) or len(metrics) > 100:
        yield f"metrics {metrics!r}"
        return
    for metric in metrics:
        yield from problems_of_metric(metric, root)


def problems(root):
    """What the specification would not allow in a decoded document."""
    if not isinstance(root, dict) or not isinstance(root.get("_aws"), dict):
        yield "no object with an object _aws"
        return
    metadata = root["_aws"]
    if set(metadata) != {"Timestamp", "CloudWatchMetrics"}:
        yield f"members of _aws: {sorted(metadata)}"
    timestamp = metadata.get("Timestamp")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool) or timestamp < 0:
        yield f"timestamp {timestamp!r}"
    directives = metadata.get("CloudWatchMetrics")
    if not isinstance(directives, list):
        yield f"CloudWatchMetrics {directives!r}"
        return
    for directive in directives:
        yield from problems_of_directive(directive, root)


def example():
    """A valid document, for tests to spoil."""
    return {
        "_aws": {
            "Timestamp": 1574109732004,
            "CloudWatchMetrics": [
                {
                    "Namespace": "n",
                    "Dimensions": [["version"]],
                    "Metrics": [{"Name": "time", "Unit": "Milliseconds"}],
                }
            ],
        },
        "version": "$LATEST",
        "time": 100,
    }


def spoilt():
    """Documents that break one rule each."""
    def changed(change):
        document = example()
        change(document, document["_aws"], document["_aws"]["CloudWatchMetrics"][0])
        return document

    return [
        changed(lambda root, aws, one: root.pop("_aws")),
        changed(lambda root, aws, one: aws.pop("Timestamp")),
        changed(lambda root, aws, one: aws.update(Timestamp="1574109732004")),
        changed(lambda root, aws, one: aws.update(Timestamp=1.5)),
        changed(lambda root, aws, one: aws.update(CloudWatchMetrics={})),
        changed(lambda root, aws, one: aws.update(LogGroupName="x", More=1)),
        changed(lambda root, aws, one: one.pop("Namespace")),
        changed(lambda root, aws, one: one.update(Namespace="")),
        changed(lambda root, aws, one: one.update(Namespace="n" * 256)),
        changed(lambda root, aws, one: one.pop("Dimensions")),
        changed(lambda root, aws, one: one.update(Dimensions=[])),
        changed(lambda root, aws, one: one.update(Dimensions=["version"])),
        changed(lambda root, aws, one: one.update(Dimensions=[["version"] * 10])),
        changed(lambda root, aws, one: one.update(Dimensions=[["missing"]])),
        changed(lambda root, aws, one: one.update(Dimensions=[["time"]])),
        changed(lambda root, aws, one: one.pop("Metrics")),
        changed(lambda root, aws, one: one.update(Metrics=[{"Unit": "Count"}])),
        changed(lambda root, aws, one: one.update(Metrics=[{"Name": "time", "Unit": "ms"}])),
        changed(lambda root, aws, one: one.update(Metrics=[{"Name": "missing"}])),
        changed(lambda root, aws, one: one.update(Metrics=[{"Name": "version"}])),
        changed(lambda root, aws, one: one.update(Metrics=[{"Name": "time"}] * 101)),
        changed(lambda root, aws, one: root.update(time="100")),
        changed(lambda root, aws, one: root.update(time=[1] * 101)),
        changed(lambda root, aws, one: root.update(version="")),
    ]

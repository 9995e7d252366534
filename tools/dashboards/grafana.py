"""Grafana's panels as plain dicts. Expressions are written short: every metric of a run gets the filters by namespace and run, and
[RATE] becomes [$__rate_interval]."""
import re

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
FILTER = 'namespace=~"$namespace",run="$run"'
METRIC = re.compile(r"(?<![\w:\"$])((?:lvrpo|process)_\w+)(?:\{([^}]*)\})?")
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"


def expand(expression):
    """A short expression as Prometheus reads it."""
    def filtered(match):
        return f"{match.group(1)}{{{FILTER}" + (f",{match.group(2)}}}" if match.group(2) else "}")
    return METRIC.sub(filtered, expression).replace("[RATE]", "[$__rate_interval]")


def steps(*pairs):
    """Thresholds: colour, then (value from which, colour)..."""
    return {"mode": "absolute", "steps": [{"color": pairs[0], "value": None}] + [{"color": c, "value": v} for v, c in pairs[1:]]}


def panel(kind, title, unit, description, targets, thresholds=None, **more):
    """`targets`: [(expression, legend)]. `more`: width, height, and what goes into custom, options or defaults."""
    instant = kind in ("stat", "table", "gauge")
    defaults = {"unit": unit, "thresholds": thresholds or steps(GREEN)} | more.pop("defaults", {})
    if kind == "timeseries":
        custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": True} | more.pop("custom", {})
        if thresholds:
            custom["thresholdsStyle"] = {"mode": "line"}
        defaults["custom"] = custom
    return {
        "type": kind, "title": title, "description": description, "datasource": DATASOURCE,
        "size": (more.pop("width", 4 if instant else 8), more.pop("height", 4 if instant else 7)),
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "options": more.pop("options", {}),
        "targets": [{"refId": chr(65 + i), "datasource": DATASOURCE, "expr": expand(expression), "legendFormat": legend,
                     "instant": instant, "range": not instant} | ({"format": "table"} if kind == "table" else {})
                    for i, (expression, legend) in enumerate(targets)],
    } | more


def stat(title, unit, description, expression, thresholds=None, legend="", **more):
    options = {"colorMode": "background" if thresholds else "value", "graphMode": "none", "justifyMode": "auto",
               "textMode": "value_and_name" if legend else "value",
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel("stat", title, unit, description, [(expression, legend)], thresholds, options=options, **more)


def lines(title, unit, description, *targets, thresholds=None, **more):
    options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, unit, description, list(targets), thresholds, options=options, **more)


def stacked(title, unit, description, *targets, **more):
    return lines(title, unit, description, *targets, custom={"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 40}, **more)


def quantiles(title, description, metric, by="", legend="", matchers="", **more):
    """Median and 95th percentile of a histogram of seconds."""
    buckets = f"sum by ({', '.join(filter(None, ['le', by]))}) (rate({metric}_bucket{matchers}[RATE]))"
    return lines(title, "s", description, *((f"histogram_quantile({q}, {buckets})", f"{word} {legend}".strip())
                                           for q, word in ((.5, "median"), (.95, "p95"))), **more)


def mean(metric, by, matchers=""):
    """Mean seconds of a histogram, by labels."""
    part = f"sum by ({by}) (rate({metric}_%s{matchers}[RATE]))"
    return f"{part % 'sum'} / {part % 'count'}"


def variable(name, query, **more):
    return {"name": name, "label": name, "type": "query", "datasource": DATASOURCE, "query": {"query": query, "refId": name},
            "definition": query, "refresh": 2, "sort": 2} | more


VARIABLES = [
    {"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus"},
    variable("namespace", "label_values(lvrpo_build_info, namespace)", includeAll=True, allValue=".*",
             current={"text": "All", "value": "$__all"}),
]
RUN = variable("run", 'label_values(lvrpo_coordinator_step{namespace=~"$namespace"}, run)')


def annotation(name, expression, colour, text):
    return {"name": name, "datasource": DATASOURCE, "enable": True, "iconColor": colour, "expr": expand(expression), "step": "15s",
            "titleFormat": name, "textFormat": text, "useValueForTime": False}


ANNOTATIONS = [
    annotation("Coordinator started again", "max by (run) (lvrpo_coordinator_run_epoch) > max by (run) (lvrpo_coordinator_run_epoch offset 1m)",
               RED, "start {{run}}"),
    annotation("Learner goes on", 'lvrpo_learner_restored_from{source!="base"} == 1 and on (instance) (time() - process_start_time_seconds < 60)',
               "orange", "from {{source}}"),
    annotation("Drain", 'max by (run) (lvrpo_role_state{state="draining"}) == 1', BLUE, "the run is told to end"),
]


def placed(rows):
    """Panels with ids and places: rows as [(title, [panels])], a panel after the other from left to right."""
    panels, y = [], 0
    for title, members in rows:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        x, y, tallest = 0, y + 1, 0
        for one in members:
            one = dict(one)
            width, height = one.pop("size")
            if x + width > 24:
                x, y, tallest = 0, y + tallest, 0
            panels.append(one | {"gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x, tallest = x + width, max(tallest, height)
        y += tallest
    return [{"id": i + 1} | one for i, one in enumerate(panels)]


def dashboard(uid, title, description, rows, of_a_run=True):
    return {
        "id": None, "uid": uid, "title": title, "description": description, "schemaVersion": 39, "version": 1, "editable": True,
        "refresh": "10s", "time": {"from": "now-1h", "to": "now"}, "timezone": "browser", "graphTooltip": 1, "tags": ["lvrpo"],
        "links": [{"type": "dashboards", "title": "LVRPO", "tags": ["lvrpo"], "asDropdown": False, "includeVars": True, "keepTime": True,
                   "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}],
        "templating": {"list": VARIABLES + ([RUN] if of_a_run else [])},
        "annotations": {"list": ANNOTATIONS if of_a_run else []},
        "panels": placed(rows),
    }

# SPDX-License-Identifier: MIT
"""All cases by name, in the order in which a whole run takes them. Each is a function that adds rows to a Run; its text says
what is measured from where to where."""

from cases import bursts, cold, hot, memory, scripts, serverless, starts, stopped

CASES = {
    "true": hot.true,
    "native-hot": hot.native,
    "django-hot": hot.django,
    "node-hot": hot.node,
    "jvm-hot": hot.jvm,
    "large-hot": hot.large,
    "cgroup": hot.cgroup,
    "interp-hot": scripts.interp_hot,
    "script-first-line": scripts.first_line,
    "script-first-line-node": scripts.first_line_node,
    "script-first-line-java": scripts.first_line_java,
    "django-template": cold.django_template,
    "jvm-template": cold.jvm_template,
    "native-restore": cold.native_restore,
    "django-restore": cold.django_restore,
    "node-restore": cold.node_restore,
    "jvm-restore": cold.jvm_restore,
    "large-restore": cold.large_restore,
    "django-uncached": cold.django_uncached,
    "jvm-uncached": cold.jvm_uncached,
    "native-start": starts.native,
    "django-start": starts.django,
    "node-start": starts.node,
    "jvm-start": starts.jvm,
    "large-start": starts.large,
    "burst": bursts.burst,
    "burst-1000": bursts.burst_1000,
    "rate": bursts.rate,
    "serverless": serverless.serverless,
    "django-memory": memory.django,
    "node-memory": memory.node,
    "jvm-memory": memory.jvm,
    "native-stopped": stopped.native,
    "django-stopped": stopped.django,
    "jvm-stopped": stopped.jvm,
    "stopped-scaling": stopped.scaling,
}

# Not part of a whole run: others on the machine would notice.
BY_NAME_ONLY = {"burst-1000"}

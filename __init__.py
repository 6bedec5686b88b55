"""The FiftyOne plugin @alcore/active_learning."""


def register(plugin):
    # Imported here, for FiftyOne runs this file anew for every request, and pytest imports it too.
    from .operators import register as register_all

    register_all(plugin)

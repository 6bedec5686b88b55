import fiftyone.operators as foo
import fiftyone.operators.types as types
class ActiveLearning(foo.Panel):
    @property
    def config(self):
        return foo.PanelConfig(name="active_learning", label="Active learning")
    def on_load(self, ctx): pass
    def render(self, ctx):
        return types.Property(types.Object())

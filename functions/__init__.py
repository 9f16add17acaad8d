"""The edge: one module per Azure Function. A trigger is a decorator, a docstring and one call."""

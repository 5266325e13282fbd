"""Many smears: a journal that survives everything, workers that may die, one table at the end.

For Research Use Only. Not for use in diagnostic procedures.
"""

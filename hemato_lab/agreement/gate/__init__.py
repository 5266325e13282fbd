"""The regression gate: whether a change of microscope, model or software is worse than what is tolerated.

For Research Use Only. Not for use in diagnostic procedures.
"""

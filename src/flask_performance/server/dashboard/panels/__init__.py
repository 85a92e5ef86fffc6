"""The panels: one panel, one module, one template of the same name.

A panel says what it shows from the answers of the store. Its template renders the first paint and
the live fragment alike; a panel that draws also says what its chart gets, and then its live event
carries that as JSON and the drawing is a module of the front end with the panel's name.
"""

-- The step that a cell is in.
intDiv(start_us, $step_us) * $step_us

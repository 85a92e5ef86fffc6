-- The step that a cell is in.
start_us // $step_us * $step_us

"""What the labs give their students and what their visible checks look at: one module a lab."""

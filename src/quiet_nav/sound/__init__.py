"""From PCM bytes to timed windows and log-mel spectra."""

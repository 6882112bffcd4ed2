"""Sphinx's configuration of the docs; `make docs` builds them, warnings are errors."""

import importlib.util

from quiet_nav import __version__

project = 'quiet_nav'
author = 'quiet_nav contributors'
copyright = f'2026, {author}'
release = __version__
version = release

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx_copybutton',
    'sphinx_design',
]
source_suffix = {'.md': 'markdown', '.rst': 'restructuredtext'}
exclude_patterns = ['figures']
# Two packages may have a class of one name; the nearer one is linked.
suppress_warnings = ['ref.python']
toc_object_entries = False
linkcheck_timeout = 20

myst_enable_extensions = ['attrs_block', 'colon_fence', 'deflist', 'fieldlist']
myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_inherit_docstrings = False
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
autodoc_preserve_defaults = True
# Where PyTorch was left out (LEARN=0), what needs it is documented all the same.
autodoc_mock_imports = [
    name
    for name in ('torch', 'lightning', 'torchmetrics', 'transformers', 'onnx', 'sklearn')
    if importlib.util.find_spec(name) is None
]
copybutton_prompt_text = '$ '

html_theme = 'furo'
html_title = f'quiet_nav {release}'
html_static_path = ['_static']
html_css_files = ['custom.css']
html_show_sphinx = False
html_copy_source = False
html_theme_options = {'navigation_with_keys': True}

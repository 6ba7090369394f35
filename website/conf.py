"""Sphinx's configuration; `website.build` fills the folder that it is run on."""

project = "Sori"
author = "The Sori maintainers"
copyright = f"{author}. Text: CC BY 4.0. Code: MIT"
language = "en"
extensions = ["myst_nb", "website.rendering"]
exclude_patterns = ["_*"]

nb_execution_mode = "off"  # `website.run` has run them
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"

html_theme = "furo"
html_title = "Sori · 소리"
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["sori.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

"""quiet_nav: a robot hears where walls are."""

from pkgutil import extend_path

# quiet_nav.msg and quiet_nav.action are generated: in a checkout they lie in another folder.
__path__ = extend_path(__path__, __name__)

__version__ = '0.2.0'

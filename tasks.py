"""The command tree, nothing else: each verb lives in a module of ``tasks/``.

invoke loads this file under the name ``tasks``, where the folder ``tasks/`` would have to be found
too: ``__path__`` makes this module the package whose submodules lie in that folder.
"""

from pathlib import Path

__path__ = [str(Path(__file__).with_name("tasks"))]

from invoke.collection import Collection

from tasks import bases, build, builder, ci, clean, compare, engine, project, report, scan, verify

namespace = Collection(bases, build, builder, ci, clean, compare, engine, report, scan, verify)
namespace.add_task(project.pipeline)
namespace.add_task(project.test)

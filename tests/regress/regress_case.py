"""Commands of the tool and what they print: what the tests of old faults share."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from cases import Case, take  # noqa: E402

COLDBOOST, WITHOUT_TLS, OWN_ENTRY, FILTERED = map(os.path.abspath, take("COLDBOOST WITHOUT_TLS OWN_ENTRY FILTERED"))
PATIENCE = 600  # seconds: for a machine that is busy, or stopped for a while


class RegressCase(Case):
    def setUp(self):
        # Not /tmp, which may be a tmpfs: its files are left out.
        self.folder = self.new_folder(dir=os.path.dirname(OWN_ENTRY))
        self.profile = os.path.join(self.folder, 'out.cbp')

    def run_it(self, *command, status=0, **keywords):
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=PATIENCE, check=False, **keywords)
        self.err = result.stderr.decode()
        if status is not None:
            self.assertEqual(result.returncode, status, self.err)
        return result.stdout

    def record(self, *command, output=None, **keywords):
        output = self.profile if output is None else output
        return self.run_it(COLDBOOST, 'record', '-o', output, '--', *command, **keywords)

    def make_file(self, name, content=bytes(8 * 4096)):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        return path

    def pages(self, path):
        """Of a file, whatever executables need them."""
        shown = json.loads(self.run_it(COLDBOOST, 'show', '--json', self.profile))
        ranges = next((file['ranges'] for file in shown['files'] if file['path'] == path), [])
        return sorted({page for r in ranges for page in
                       range(r['offset'] // 4096, (r['offset'] + r['length']) // 4096)})

    def shown(self):
        return self.run_it(COLDBOOST, 'show', self.profile).decode()

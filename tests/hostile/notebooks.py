"""A class that means harm: what each member hands in for unit 00, and what its honest code earns.

Every notebook solves `rms` (2 points) and leaves `num_samples` (1 point) alone, unless it says otherwise; so its
honest code earns 2 of 3. `code` runs before the exercises. What it prints must not hold a `SECRET`.
"""

from dataclasses import dataclass, field

#: Planted by the tests in the seed, the gradebook, the solutions, the environment and another submission.
SECRET = "sori-canary-5150"
#: The number of seconds that left-behind processes sleep: how the tests find them.
LEFT_BEHIND = "31337"

RMS = "def rms(x):\n    return x.square().mean(-1).sqrt()"
LAZY = "def num_samples(seconds, sample_rate=16_000):\n    raise NotImplementedError"


@dataclass(frozen=True)
class Hostile:
    """One notebook. `earns` is the least and the most that it may get."""

    name: str
    code: str = ""
    num_samples: str = LAZY
    rms: str = RMS
    earns: tuple[float, float] = (2.0, 2.0)
    metadata: dict = field(default_factory=dict)


_READ = """
import os, pathlib
def show(place, names=("*",)):
    for path in sorted(pathlib.Path(place).rglob("*")) if pathlib.Path(place).is_dir() else [pathlib.Path(place)]:
        try: print(path, path.read_bytes()[:2000])
        except OSError as error: print(path, error)
"""
_ALWAYS = "def num_samples(seconds, sample_rate=16_000):\n    "

RESOURCES = [
    Hostile("fork_bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"),
    Hostile("shell_fork_bomb", "import os\nos.system('bomb() { bomb | bomb & }; bomb')"),
    Hostile("memory_bomb", "held = []\nwhile True: held.append(bytearray(10**8))"),
    Hostile(
        "memory_bomb_of_many",
        "import os, time\nfor _ in range(40):\n    if os.fork() == 0:\n        held = bytearray(b'x') * 5 * 10**8\n"
        "        time.sleep(60)\ntime.sleep(8)",
    ),
    Hostile(
        "shared_memory_bomb",
        "with open('/dev/shm/full', 'wb') as file:\n    while True: file.write(bytes(10**7))",
    ),
    Hostile("endless_loop", "while True: pass"),
    Hostile(
        "endless_loop_that_ignores_interrupts",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ),
    Hostile("signals_ignored", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"),
    Hostile("endless_output", "while True: print('a' * 1000)"),
    Hostile("endless_output_below_python", "import os\nwhile True: os.write(1, b'a' * 65536)"),
    Hostile("one_giant_output", "print('a' * 10**9)"),
    Hostile("full_disk", "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(bytes(3 * 10**7)); n += 1"),
    Hostile("a_million_files", "n = 0\nwhile True:\n    open(f'g{n}', 'w').close(); n += 1"),
    Hostile("open_files", "held = []\nwhile True: held.append(open('/dev/null'))"),
    Hostile(
        "thread_bomb",
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    ),
    Hostile(
        "background_threads_that_burn",
        "import threading\ndef burn():\n    while True: pass\n"
        "for _ in range(3): threading.Thread(target=burn, daemon=True).start()",
    ),
    Hostile("stack_overflow", "import sys\nsys.setrecursionlimit(10**8)\ndef down(n): return down(n + 1)\ndown(0)"),
    Hostile("waits_for_input", "input('password? ')"),
]

ENDINGS = [
    Hostile("leaves", "import os\nos._exit(0)"),
    Hostile("system_exit", "raise SystemExit"),
    Hostile("kills_itself", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\nos._exit(9)"),
    Hostile("kills_its_parent", "import os\nos.kill(os.getppid(), 9)"),
    Hostile("kills_everybody", "import os\nos.kill(-1, 9)"),
    Hostile(
        "kills_its_siblings", "import os\nfor pid in range(2, 4000):\n    try: os.kill(pid, 9)\n    except OSError: 0"
    ),
    Hostile("stops_itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    Hostile("crashes", "import ctypes\nctypes.string_at(0)"),
    Hostile("aborts", "import os\nos.abort()"),
    Hostile("closes_everything", "import os\nos.closerange(0, 4096)"),
    Hostile(
        "dies_when_asked",
        num_samples="import os\ndef num_samples(*any):\n    os._exit(0)",
    ),
    Hostile("loops_when_asked", num_samples="def num_samples(*any):\n    while True: pass"),
    Hostile(
        "loops_when_asked_and_ignores_interrupts",
        num_samples="def num_samples(*any):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass",
    ),
    Hostile(
        "leaves_a_daemon",
        f"import subprocess\nsubprocess.Popen(['sleep', '{LEFT_BEHIND}'], start_new_session=True)\n"
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.execvp('sleep', ['sleep', '{LEFT_BEHIND}'])\n    os._exit(0)",
    ),
]

READERS = [
    Hostile("reads_the_hidden_tests", _READ + "import grader.exercises.start as hidden\nprint(dir(hidden))"),
    Hostile(
        "asks_the_oracle",
        num_samples=_ALWAYS + "from grader.exercise import find_exercise\n"
        "    return find_exercise('num_samples').oracle(seconds, sample_rate)",
    ),
    Hostile("reads_the_solutions", _READ + "show(ROOT + '/solutions')"),
    Hostile("reads_the_gradebook", _READ + "show(ROOT + '/gradebook')"),
    Hostile("reads_other_submissions", _READ + "show(ROOT + '/gradebook/submitted')\nshow('..')"),
    Hostile("reads_the_environment", "import os\nprint(os.environ)\nprint(open('/proc/self/environ').read())"),
    Hostile(
        "reads_other_processes",
        _READ + "import glob\nfor path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n"
        "    show(path)",
    ),
    Hostile("reads_homes", _READ + "for place in ('/root', '/home', '/tmp', '/var', '/run', '/srv'): show(place)"),
    Hostile(
        "reads_its_parents_memory",
        "import os\nfor pid in {os.getppid(), 0, 1, 2}:\n    try: print(open(f'/proc/{pid}/mem', 'rb').read(100))\n"
        "    except OSError as error: print(error)",
    ),
    Hostile(
        "looks_for_the_seed_in_memory",
        "import re\nfor line in open('/proc/self/maps'):\n    if 'rw' not in line: continue\n"
        "    low, high = (int(part, 16) for part in line.split()[0].split('-'))\n"
        "    try:\n        with open('/proc/self/mem', 'rb', 0) as file:\n            file.seek(low)\n"
        "            for found in re.findall(rb'sori-' + rb'canary-\\d+', file.read(min(high - low, 10**8))):\n"
        "                print(found)\n"
        "    except (OSError, ValueError, OverflowError): pass",
    ),
    Hostile(
        "looks_through_frames_and_the_collector",
        num_samples=_ALWAYS + "import gc, sys\n    frame = sys._getframe()\n    while frame:\n"
        "        for value in list(frame.f_locals.values()):\n"
        "            for name in ('expected', 'wanted', 'oracle', 'want'):\n"
        "                if hasattr(value, name): return getattr(value, name)\n        frame = frame.f_back\n"
        "    for one in gc.get_objects():\n"
        "        if type(one).__name__ in ('Case', 'Exercise', 'Exchange'): return getattr(one, 'expected', 0)\n"
        "    raise NotImplementedError",
    ),
]

WRITERS = [
    Hostile("deletes_everything", "import shutil\nfor place in ('/', ROOT): shutil.rmtree(place, ignore_errors=True)"),
    Hostile(
        "overwrites_the_grader",
        "import grader.answer, pathlib, sys\n"
        "for path in (grader.answer.__file__, ROOT + '/grader/judge.py', sys.executable):\n"
        "    try: pathlib.Path(path).write_text('print(1)')\n    except OSError as error: print(error)",
    ),
    Hostile(
        "plants_start_up_files",
        "import pathlib, site\nfor place in site.getsitepackages() + [str(pathlib.Path.home()), ROOT]:\n"
        "    for name in ('sitecustomize.py', 'planted.pth', 'usercustomize.py'):\n"
        "        try: (pathlib.Path(place) / name).write_text('import os')\n"
        "        except OSError as error: print(error)",
    ),
    Hostile(
        "changes_its_grade",
        "import sqlite3\ntry:\n    with sqlite3.connect(ROOT + '/gradebook/gradebook.db') as base:\n"
        "        base.execute('update grade set manual_score = 1000')\nexcept Exception as error: print(error)",
    ),
    Hostile(
        "mounts_and_leaves_its_root",
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "for call in (lambda: libc.unshare(0x10000000), lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None),\n"
        "             lambda: libc.chroot(b'/tmp'), lambda: libc.ptrace(16, 1, 0, 0), lambda: libc.setns(3, 0)):\n"
        "    assert call() == -1\nos.setuid(0) if False else None",
    ),
    Hostile("links_out", "import os\nos.symlink('/', 'out')\nos.symlink(ROOT + '/gradebook', 'book')"),
]

NETWORK = [
    Hostile(
        "calls_a_server_on_this_machine",
        "import socket\ntry:\n    with socket.create_connection(('127.0.0.1', PORT), timeout=2) as line:\n"
        "        print(line.recv(100))\nexcept OSError as error: print(error)",
    ),
    Hostile(
        "calls_the_world",
        "import socket\nfor host in ('192.0.2.1', '8.8.8.8'):\n    try:\n"
        "        with socket.create_connection((host, 53), timeout=2): print('CONNECTED')\n"
        "    except OSError as error: print(error)",
    ),
    Hostile(
        "calls_an_abstract_socket",
        "import socket\ntry:\n    line = socket.socket(socket.AF_UNIX)\n    line.connect(ABSTRACT)\n"
        "    print(line.recv(100))\nexcept OSError as error: print(error)",
    ),
]

CHEATS = [
    Hostile(
        "patched_comparisons",
        "import numpy, torch, builtins\nfor name in ('allclose', 'equal', 'isclose'):\n"
        "    setattr(torch, name, lambda *a, **k: True); setattr(numpy, name, lambda *a, **k: True)\n"
        "torch.testing.assert_close = numpy.testing.assert_allclose = lambda *a, **k: None\n"
        "builtins.all = builtins.abs = builtins.max = lambda *a, **k: True\nbuiltins.isinstance = lambda *a: True",
        earns=(0.0, 2.0),
    ),
    Hostile(
        "patched_codec",
        "import grader.codec, grader.answer\ngrader.codec.pack = grader.codec.encode = lambda *a: b'{}'",
        earns=(0.0, 2.0),
    ),
    Hostile(
        "patched_answer",
        "import grader.answer\ngrader.answer.reply = lambda *a: 'full marks'",
        earns=(0.0, 2.0),
    ),
    Hostile(
        "patched_judge",
        "import grader.judge, grader.compare, grader.check, sys\n"
        "for module in (grader.judge, grader.compare, grader.check):\n    for name in list(vars(module)):\n"
        "        if callable(getattr(module, name)): setattr(module, name, lambda *a, **k: True)",
        earns=(0.0, 2.0),
    ),
    Hostile("patched_check", "check = examine = lambda function: 1000"),
    Hostile(
        "lying_equality",
        num_samples="class Yes:\n    def __eq__(self, other): return True\n    def __float__(self): return 1.0\n"
        "    def __index__(self): return 1\n    def __sub__(self, other): return 0\n    __hash__ = None\n"
        + _ALWAYS
        + "return Yes()",
    ),
    Hostile(
        "an_integer_that_lies",
        num_samples="class Yes(int):\n    def __eq__(self, other): return True\n"
        "    def __ne__(self, other): return False\n"
        "    __hash__ = int.__hash__\n" + _ALWAYS + "return Yes(0)",
    ),
    Hostile(
        "tensor_subclass_that_lies",
        rms="import torch\nclass Yes(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
        "        return torch.tensor(True)\ndef rms(x):\n    return torch.zeros(x.shape[:-1]).as_subclass(Yes)",
        earns=(0.0, 0.5),
    ),
    Hostile(
        "changes_what_it_returned_later",
        rms="import threading, time, torch\ndef rms(x):\n    out = torch.zeros(x.shape[:-1])\n    def later():\n"
        "        time.sleep(0.05)\n        out.copy_(x.detach().square().mean(-1).sqrt())\n"
        "    threading.Thread(target=later).start()\n    return out",
        earns=(0.0, 0.5),
    ),
    Hostile(
        "forged_outputs",
        "from IPython.display import publish_display_data\nprint('1000')\n"
        "publish_display_data({'text/plain': '1000', 'text/html': '3 of 3 points'})\n1000.0",
    ),
    Hostile(
        "forged_messages",
        "kernel = get_ipython().kernel\nfor socket in (kernel.iopub_socket, kernel.shell_stream):\n    try:\n"
        "        kernel.session.send(socket, 'execute_result', {'data': {'text/plain': '1000'}, 'metadata': {},\n"
        "                            'execution_count': 1}, parent=kernel.get_parent())\n"
        "    except Exception as error: print(error)",
    ),
    Hostile(
        "replaced_execution",
        "kernel = get_ipython().kernel\nasync def do_execute(*a, **k):\n"
        "    return {'status': 'ok', 'execution_count': 1, 'user_expressions': {'reply': {'status': 'ok',\n"
        "            'data': {'text/plain': repr('full marks')}, 'metadata': {}}}}\nkernel.do_execute = do_execute",
        earns=(0.0, 2.0),
    ),
    Hostile(
        "rewritten_by_transformers",
        "import ast\nclass Rewrite(ast.NodeTransformer):\n"
        "    def visit_Raise(self, node): return ast.parse('return 1000').body[0]\n"
        "get_ipython().ast_transformers.append(Rewrite())",
        earns=(0.0, 2.0),
    ),
    Hostile(
        "a_shell_that_lies",
        "shell = get_ipython()\nshell.user_expressions = lambda *a: {'reply': {'status': 'ok', 'data':\n"
        "    {'text/plain': repr('full marks')}, 'metadata': {}}}",
        earns=(0.0, 2.0),
    ),
    Hostile(
        "replies_without_form",
        "shell = get_ipython()\nshell.user_expressions = lambda *a: {'reply': {'status': 'ok', 'data': {}}}",
    ),
    Hostile(
        "replies_of_another_kind",
        "shell = get_ipython()\nshell.user_expressions = lambda *a: {'reply': [1, 2, 3]}",
    ),
    Hostile(
        "messages_without_form",
        "kernel = get_ipython().kernel\nfor kind in ('status', 'stream', 'execute_result'):\n"
        "    kernel.session.send(kernel.iopub_socket, kind, {}, parent=kernel.get_parent())",
    ),
    Hostile("skipped_by_tag", metadata={"tags": ["skip-execution", "raises-exception"]}),
    Hostile("points_of_its_own", metadata={"nbgrader": {"points": 1000, "grade": True, "solution": True}}),
    Hostile("metadata_of_the_wrong_kind", metadata={"nbgrader": [1, 2], "tags": 7}),
    Hostile("a_giant_answer", num_samples=_ALWAYS + "import torch\n    return torch.zeros(10**9)"),
    Hostile(
        "a_bottomless_answer",
        num_samples=_ALWAYS + "out = []\n    for _ in range(10**5): out = [out]\n    return out",
    ),
    Hostile("an_answer_in_a_loop", num_samples=_ALWAYS + "out = []\n    out.append(out)\n    return out"),
    Hostile(
        "an_answer_without_end",
        num_samples="class Endless(list):\n    def __iter__(self):\n        while True: yield 1\n"
        "    def __len__(self): return 10**18\n" + _ALWAYS + "return Endless()",
    ),
    Hostile(
        "an_error_that_cannot_be_shown",
        num_samples="class Bad(Exception):\n    def __str__(self): raise self\n    __repr__ = __str__\n"
        + _ALWAYS
        + "raise Bad",
    ),
]

EVERYONE = RESOURCES + ENDINGS + READERS + WRITERS + NETWORK + CHEATS

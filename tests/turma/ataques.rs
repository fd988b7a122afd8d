//! Entregas que tentam o que não devem: a máquina, o professor e a nota ficam como estavam.

use super::*;

/// Um servidor que procura o que não devia alcançar, e conta o que achou a quem lhe pede CONSULTAR.
const ESPIAO: &str = r#"
import os, socket, sys
achados = []
for caminho in ["SEGREDO", "PASTA", os.path.expanduser("~root"), "/home", "/cela/resultados", "/cela/entrega"]:
    try:
        os.listdir(caminho) if os.path.isdir(caminho) else open(caminho).read()
        if os.path.exists(caminho) and (os.path.isfile(caminho) or os.listdir(caminho)):
            achados.append("leu " + caminho)
    except OSError:
        pass
for pasta in ["SAIDA/alunos", "SAIDA/registro", "SAIDA", "/cela/resultados", "/cela", "/"]:
    for nome in ["desfecho.json", "laudo.json", "espiao.json", "turma.csv"]:
        try:
            open(os.path.join(pasta, nome), "w").write('{"nota": 10}')
            achados.append("escreveu " + pasta)
        except OSError:
            pass
try:
    socket.create_connection(("127.0.0.1", DE_FORA), 2)
    achados.append("conectou")
except OSError:
    pass
for pid in os.listdir("/proc"):
    if pid.isdigit() and b"corrigir" in open("/proc/" + pid + "/cmdline", "rb").read():
        achados.append("viu o avaliador")
if "SEGREDO_NO_AMBIENTE" in os.environ:
    achados.append("leu o ambiente")
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[1])))
s.listen()
while True:
    c, _ = s.accept()
    c.recv(100)
    c.sendall(("achei: " + (", ".join(achados) or "nada") + "\n").encode())
    c.close()
"#;

#[test]
fn um_programa_nao_le_a_casa_nem_a_rede_do_professor_nem_escreve_a_propria_nota() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    let segredo = turma.pasta.path().join("segredo");
    fs::write(&segredo, "segredo").unwrap();
    let de_fora = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let espiao = ESPIAO
        .replace("SEGREDO\"", &format!("{}\"", segredo.display()))
        .replace("PASTA", &turma.pasta.path().display().to_string())
        .replace("SAIDA", &turma.saida().display().to_string())
        .replace("DE_FORA", &de_fora.local_addr().unwrap().port().to_string());
    turma.entregar("espiao", "servidor.py", &espiao);
    turma.corrigir_em_python();
    let laudo = turma.laudo("espiao").to_string();
    assert!(laudo.contains("achei: nada"), "{laudo}");
    assert_eq!(turma.nota("espiao"), "0.00");
    de_fora.set_nonblocking(true).unwrap();
    assert!(de_fora.accept().is_err(), "ninguém da cela chega à rede de fora");
}

#[test]
fn uma_bomba_de_processos_nao_impede_a_turma_de_acabar() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.ataque(
        "bomba",
        "import os\nif os.fork() == 0:\n    while True:\n        try:\n            os.fork()\n        except OSError:\n            pass",
    );
    turma.aluno("certa", "correto.py");
    turma.corrigir(&[&EM_PYTHON[..], &["--espera", "3s", "--tempo-maximo", "60s"]].concat());
    assert!(turma.linhas().contains_key("bomba"));
    assert_eq!(turma.nota("certa"), "10.00");
}

#[test]
fn dez_gigabytes_nao_se_alocam_e_o_laudo_diz_que_foi_a_memoria() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    // Um processo só, que o limite do sistema barra; e muitos, cuja soma só o vigia vê.
    turma.ataque(
        "muitos",
        "import os, time\nfor _ in range(25):\n    if os.fork() == 0:\n        x = bytearray(400 * 1024 * 1024)\n        time.sleep(1000)",
    );
    turma.ataque("um", "x = bytearray(10 * 1024 * 1024 * 1024)");
    turma.corrigir(&[&EM_PYTHON[..], &["--espera", "3s"]].concat());
    assert!(turma.coluna("um", "razao").contains("MemoryError"), "{:?}", turma.linhas());
    let razao = turma.coluna("muitos", "razao");
    assert!(razao.contains("passou de 1024 MB de memória"), "{razao}");
}

#[test]
fn quem_enche_o_disco_enche_so_o_da_cela() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.ataque(
        "disco",
        r#"
for caminho in ["x", "/tmp/x", "/dev/shm/x", "/cela/trocas/x"]:
    try:
        with open(caminho, "wb") as f:
            for _ in range(30):
                f.write(bytes(10 * 1024 * 1024))
        raise SystemExit("coube tudo em " + caminho)
    except OSError:
        pass"#,
    );
    turma.corrigir_em_python();
    assert_eq!(turma.nota("disco"), "10.00", "{:?}", turma.linhas());
}

#[test]
fn um_processo_em_segundo_plano_nao_sobrevive_a_avaliacao() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    let marca = format!("sobrevivente-{}", std::process::id());
    turma.ataque(
        "daemon",
        &format!(
            "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)', '{marca}'], start_new_session=True)"
        ),
    );
    turma.corrigir_em_python();
    assert_eq!(turma.nota("daemon"), "10.00", "{:?}", turma.linhas());
    ate("ninguém sobreviver", || (!algum_processo_diz(&[&marca])).then_some(()));
}

#[test]
fn quem_imprime_sem_parar_tem_a_nota_do_que_faz() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.ataque(
        "tagarela",
        "import threading, time\ndef tagarelar():\n    while True:\n        print('x' * 1000)\n        time.sleep(0.0001)\nthreading.Thread(target=tagarelar, daemon=True).start()",
    );
    turma.corrigir_em_python();
    assert_eq!(turma.nota("tagarela"), "10.00", "{:?}", turma.linhas());
}

/// Responde sem que lhe peçam, nunca termina a linha, e nunca se cala.
const GOTEIRA: &str = r#"
import socket, sys, threading, time
def pingar(conn):
    try:
        while True:
            conn.sendall(b"Estoque atual: 10 e mais ")
            time.sleep(0.005)
    except OSError:
        conn.close()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[1])))
s.listen()
while True:
    threading.Thread(target=pingar, args=(s.accept()[0],)).start()
"#;

#[test]
fn quem_fala_sem_parar_na_conexao_nao_prende_a_avaliacao() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("goteira", "servidor.py", GOTEIRA);
    turma.corrigir(&[&EM_PYTHON[..], &["--tempo-maximo", "40s"]].concat());
    assert_eq!(turma.coluna("goteira", "situacao"), "avaliada", "{:?}", turma.linhas());
    assert_ne!(turma.nota("goteira"), "10.00");
}

#[test]
fn quem_ignora_o_sigterm_ou_para_quem_cuida_dele_tem_a_nota_do_que_faz() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.ataque("surdo", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)");
    turma.ataque(
        "parador",
        r#"
import os, signal
for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) != os.getpid():
        try:
            os.kill(int(pid), signal.SIGSTOP)
        except OSError:
            pass"#,
    );
    turma.corrigir_em_python();
    for nome in ["surdo", "parador"] {
        assert_eq!(turma.nota(nome), "10.00", "{:?}", turma.linhas());
    }
}

#[test]
fn o_que_o_terminal_deixou_aberto_o_aluno_nao_herda() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar(
        "herdeiro",
        "servidor.py",
        "import os, sys\nif False: s.listen()\nabertos = [os.readlink('/proc/self/fd/' + n) for n in os.listdir('/proc/self/fd') if int(n) > 2 and os.path.exists('/proc/self/fd/' + n)]\nsys.exit('herdei ' + str(abertos))\n",
    );
    // Um shell com a pasta do professor aberta, em dois descritores, antes de passar a ser o cliente.
    let cliente = comando("cliente", ["turma"]);
    let mut de_um_shell = std::process::Command::new("bash");
    let abrir = format!("exec 7<{0} 123<{0}; exec \"$@\"", turma.pasta.path().display());
    de_um_shell.args(["-c", &abrir, "bash"]).arg(cliente.get_program()).args(cliente.get_args());
    de_um_shell.arg(turma.entregas()).arg("--saida").arg(turma.saida());
    let fim = Processo::iniciar(de_um_shell).termino_em(PRAZO_DA_TURMA);
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
    let razao = turma.coluna("herdeiro", "razao");
    assert!(razao.contains("herdei []"), "{razao}");
}

#[test]
fn um_programa_nao_se_faz_root_em_um_espaco_so_dele() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar(
        "root",
        "servidor.py",
        "import ctypes, sys\nif False: s.listen()\nlibc = ctypes.CDLL(None)\nsys.exit(f'root {libc.unshare(0x10000000)} disco {libc.mount(b\"x\", b\"/tmp\", b\"tmpfs\", 0, b\"size=10g\")}')\n",
    );
    turma.corrigir(&[]);
    let razao = turma.coluna("root", "razao");
    assert!(razao.contains("root -1 disco -1"), "{razao}");
}

/// Pede memória e redes de todos os jeitos, e diz o número do erro de cada um, ou 0.
const PEDINTE: &str = r#"
import ctypes, os, socket, sys
if False:
    s.listen()
libc = ctypes.CDLL(None, use_errno=True)
libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
def tentar(pedir):
    try:
        pedir()
        return 0
    except OSError as erro:
        return erro.errno
def bloco(bytes):
    if libc.shmget(0, bytes, 0o1600) < 0:
        raise OSError(ctypes.get_errno(), "")
def io_uring():
    if libc.syscall(425, 8, None) < 0:
        raise OSError(ctypes.get_errno(), "")
pedidos = [io_uring, lambda: os.memfd_create("x"), lambda: bloco(1 << 20), lambda: bloco(1 << 33), lambda: bloco(4096)]
pedidos += [lambda f=f: socket.socket(f, socket.SOCK_STREAM).close() for f in (socket.AF_VSOCK, 1, 2, 10)]
sys.exit("pediu " + str([tentar(pedir) for pedir in pedidos]))
"#;

#[test]
fn a_memoria_que_nao_e_de_ninguem_e_as_redes_que_nao_se_isolam_se_recusam() {
    if !isola() || !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("pedinte", "servidor.py", PEDINTE);
    turma.corrigir(&[]);
    let razao = turma.coluna("pedinte", "razao");
    assert!(razao.contains("pediu [38, 38, 38, 38, 0, 38, 0, 0, 0]"), "{razao}");
}

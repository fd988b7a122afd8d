//! A cela: onde uma entrega se avalia sem alcançar o resto da máquina, com o bubblewrap do Debian.
//!
//! São duas, uma dentro da outra. Na de fora fica o avaliador, com uma rede só dele e a pasta em que escreve a nota. Na
//! de dentro fica o programa do aluno: usa a mesma rede, para que o avaliador converse com ele, mas vê só os seus
//! processos e os seus arquivos, e não alcança a nota.
//!
//! ```text
//!   professor ── bwrap ─► rede vazia, processos seus ── avaliador ── escreve em /cela/resultados
//!                                                           └─ bwrap ─► programa do aluno, em /cela/trabalho
//! ```
//!
//! Aqui só se montam os comandos e se pergunta se a máquina os deixa executar; o que se executa lá dentro está em
//! [`correcao`](super::correcao).

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::getuid;

use super::filtro::abrir_com_filtro;

/// O avaliador, dentro da cela.
pub const PROGRAMA: &str = "/cela/cliente";
/// O que se entregou, que não muda.
pub const ENTREGA: &str = "/cela/entrega";
/// A cópia em que o aluno escreve.
pub const TRABALHO: &str = "/cela/trabalho";
/// O que se concluiu: a cela de dentro não a tem.
pub const RESULTADOS: &str = "/cela/resultados";
/// A pasta que diz de quem é a vez; também só na de fora.
pub const VEZ: &str = "/cela/vez";
/// Onde o avaliador põe o que apressa o Python; o aluno também a vê.
pub const TROCAS: &str = "/cela/trocas";

/// Quem não é ninguém: o professor que é root não avalia como root.
const NINGUEM: u32 = 65534;

/// Quanto cabe em cada pasta temporária que não é a de trabalho.
const TEMPORARIA: u64 = 64 * 1024 * 1024;

/// O que cabe na pasta que apressa o Python.
const TROCAS_MAXIMAS: u64 = 1024 * 1024;

/// Do que o sistema põe em `/etc`, o que um programa precisa para abrir; sem `hosts`, `localhost` não se acha.
const DE_ETC: [&str; 12] = [
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/maven",
    "/etc/ssl/certs",
    "/etc/protocols",
    "/etc/services",
];

/// Fecha o que este programa herdou aberto de quem o chamou, e passa a ser outro: um terminal ou um editor pode deixar
/// aberta uma pasta do professor, e por ela se sairia da cela.
const SO_O_COMBINADO: &str =
    r#"for fd in /proc/self/fd/*; do fd=${fd##*/}; (( fd > 2 )) && exec {fd}>&-; done; exec "$@""#;

/// As pastas do sistema, que ninguém na cela pode mudar.
const DO_SISTEMA: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt"];

/// Os limites do programa do aluno.
#[derive(Debug, Clone, Copy)]
pub struct Limites {
    /// Quanta memória.
    pub memoria: u64,
    /// Quanto disco.
    pub disco: u64,
    /// Quantos processos e threads.
    pub processos: u64,
}

impl Limites {
    /// O que um processo pode reservar: a memória, e a pilha de cada thread, que se reserva inteira e quase não se
    /// usa. Quanto todos usam de fato é o [`vigia`](super::vigia) que olha.
    fn reserva(&self) -> u64 {
        const PILHA: u64 = 8 * 1024 * 1024;
        self.memoria + PILHA * self.processos
    }
}

/// Uma cela por montar.
#[derive(Debug)]
pub struct Cela<'a> {
    /// O programa que a avalia, onde a cela o possa ler.
    pub programa: &'a Path,
    /// A entrega, já aberta.
    pub entrega: &'a Path,
    /// Onde a avaliação escreve.
    pub resultados: &'a Path,
    /// A pasta comum a todas, que diz de quem é a vez de disputar.
    pub vez: &'a Path,
    /// O que mais se pode ler, fora das pastas do sistema: uma linguagem instalada à parte.
    pub tambem: &'a [PathBuf],
    /// Os limites do que roda lá dentro.
    pub limites: Limites,
}

impl Cela<'_> {
    /// O comando que executa estes argumentos do avaliador na cela de fora.
    pub fn comando(&self, argumentos: &[OsString]) -> Command {
        let mut comando = em_nome_de_ninguem("bwrap");
        comando.args(["--unshare-user", "--uid", "0", "--gid", "0"]);
        // O avaliador muda a rede da cela (veja `sem_porta_presa`) e monta a de dentro; mais nada.
        comando.args([
            "--cap-drop",
            "ALL",
            "--cap-add",
            "CAP_NET_ADMIN",
            "--cap-add",
            "CAP_SETFCAP",
        ]);
        comando.args(["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]);
        comando.args([
            "--hostname",
            "localhost",
            "--die-with-parent",
            "--new-session",
            "--clearenv",
        ]);
        comando.args(do_sistema(self.tambem)).args(["--dev", "/dev", "--proc", "/proc"]);
        comando.args(["--setenv", "TMPDIR", TROCAS]);
        comando.args(temporaria("/tmp", TEMPORARIA));
        comando.arg("--ro-bind").arg(self.programa).arg(PROGRAMA);
        comando.arg("--ro-bind").arg(self.entrega).arg(ENTREGA);
        comando.arg("--ro-bind").arg(self.vez).arg(VEZ);
        comando.arg("--bind").arg(self.resultados).arg(RESULTADOS);
        comando.args(temporaria(TRABALHO, self.limites.disco));
        comando.args(temporaria(TROCAS, TROCAS_MAXIMAS));
        comando.args(["--chdir", "/cela", "--", PROGRAMA]).args(argumentos);
        comando.stdin(Stdio::null());
        comando
    }
}

/// O que vem antes de um comando do aluno, já na cela de fora: põe-no na de dentro, nesta pasta do trabalho.
pub fn moldura(limites: &Limites, tambem: &[PathBuf], pasta: &Path) -> Vec<OsString> {
    let mut moldura: Vec<OsString> = Vec::new();
    let mut por = |partes: &[&str]| moldura.extend(partes.iter().map(OsString::from));
    por(&["bash", "-c", &abrir_com_filtro(), "bwrap"]);
    por(&["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]);
    por(&["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
    // Com outro espaço de usuários, o aluno seria root nele, e montaria discos que ninguém mede.
    por(&["--disable-userns"]);
    por(&["--hostname", "localhost", "--die-with-parent", "--clearenv"]);
    moldura.extend(do_sistema(tambem));
    let mut por = |partes: &[&str]| moldura.extend(partes.iter().map(OsString::from));
    por(&["--setenv", "TERM", "xterm", "--proc", "/proc", "--dev", "/dev"]);
    por(&["--remount-ro", "/dev"]);
    for pasta in ["/dev/shm", "/tmp"] {
        moldura.extend(temporaria(pasta, TEMPORARIA));
    }
    let mut por = |partes: &[&str]| moldura.extend(partes.iter().map(OsString::from));
    por(&["--ro-bind", PROGRAMA, PROGRAMA, "--bind", TRABALHO, TRABALHO, "--bind", TROCAS, TROCAS]);
    por(&["--remount-ro", "/", "--chdir"]);
    moldura.push(Path::new(TRABALHO).join(pasta).into());
    let limite = |nome: &str, valor: u64| OsString::from(format!("--{nome}={valor}"));
    moldura.extend([
        "--".into(),
        "prlimit".into(),
        limite("nproc", limites.processos),
        limite("data", limites.reserva()),
        limite("core", 0),
        "--".into(),
    ]);
    moldura
}

/// Na rede da cela, uma conexão que fechou não prende a porta: quem não usa SO_REUSEADDR não espera um minuto, a cada
/// prova, pelo TIME_WAIT da anterior. Sem isto a avaliação é a mesma, e só mais lenta.
pub fn sem_porta_presa() {
    let _ = fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
}

fn temporaria(pasta: &str, tamanho: u64) -> Vec<OsString> {
    ["--size", &tamanho.to_string(), "--tmpfs", pasta].map(OsString::from).to_vec()
}

/// O sistema, só para ler, e o ambiente: do professor não vai nenhuma variável.
fn do_sistema(tambem: &[PathBuf]) -> Vec<OsString> {
    let mut argumentos: Vec<OsString> = Vec::new();
    for pasta in DO_SISTEMA {
        match fs::read_link(pasta) {
            Ok(alvo) => argumentos.extend(["--symlink".into(), alvo.into(), pasta.into()]),
            Err(_) => argumentos.extend(["--ro-bind-try", pasta, pasta].map(OsString::from)),
        }
    }
    let de_java = fs::read_dir("/etc").into_iter().flatten().flatten().map(|e| e.path());
    let de_java = de_java.filter(|p| p.to_string_lossy().starts_with("/etc/java"));
    let outras = tambem.iter().cloned().chain(de_java).chain(DE_ETC.map(PathBuf::from));
    for pasta in outras {
        argumentos.extend(["--ro-bind-try".into(), pasta.clone().into(), pasta.into()]);
    }
    let caminho = env::join_paths(pastas_de_programas(tambem)).unwrap_or_default();
    argumentos.extend(["--setenv".into(), "PATH".into(), caminho]);
    for (nome, valor) in [("HOME", "/tmp"), ("LANG", "C.UTF-8")] {
        argumentos.extend(["--setenv", nome, valor].map(OsString::from));
    }
    argumentos
}

/// Onde a cela procura programas.
pub fn pastas_de_programas(tambem: &[PathBuf]) -> Vec<PathBuf> {
    let do_sistema =
        ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/usr/local/go/bin"];
    tambem.iter().map(|pasta| pasta.join("bin")).chain(do_sistema.map(PathBuf::from)).collect()
}

/// Um comando que não se executa como root, ainda que o professor seja, e que só herda as três saídas de sempre.
fn em_nome_de_ninguem(programa: &str) -> Command {
    let mut comando = Command::new("bash");
    comando.args(["-c", SO_O_COMBINADO, "bash"]);
    if getuid().is_root() {
        let ids = [format!("--reuid={NINGUEM}"), format!("--regid={NINGUEM}")];
        comando.arg("setpriv").args(ids).args(["--clear-groups", "--"]);
    }
    comando.arg(programa);
    comando
}

/// Dá esta pasta, e o que há nela, a quem executa a cela.
///
/// # Errors
///
/// O sistema não deixou.
pub fn entregar_a_cela(pasta: &Path) -> io::Result<()> {
    if !getuid().is_root() {
        return Ok(());
    }
    chown(pasta, Some(NINGUEM), Some(NINGUEM))?;
    for entrada in fs::read_dir(pasta)? {
        let entrada = entrada?;
        if entrada.file_type()?.is_dir() {
            entregar_a_cela(&entrada.path())?;
        } else {
            chown(entrada.path(), Some(NINGUEM), Some(NINGUEM))?;
        }
    }
    Ok(())
}

/// Por que esta máquina não isola, se não isola: monta uma cela dentro da outra, sem nada dentro.
///
/// # Errors
///
/// O que falta, em uma frase.
pub fn testar() -> Result<(), String> {
    for (programa, pacote) in [("bwrap", "bubblewrap"), ("prlimit", "util-linux"), ("bash", "bash")]
    {
        if crate::turma::ferramentas::achar(programa, &pastas_de_programas(&[])).is_none() {
            return Err(format!("falta o programa {programa} (no Debian: apt install {pacote})"));
        }
    }
    let pasta = tempfile::tempdir().map_err(|erro| erro.to_string())?;
    let da_cela = |erro: io::Error| protocolo::terminal::explicar(&erro);
    entregar_a_cela(pasta.path()).map_err(da_cela)?;
    let limites = Limites { memoria: 1 << 30, disco: 1 << 20, processos: 64 };
    let cela = Cela {
        programa: Path::new("/usr/bin/env"),
        entrega: pasta.path(),
        resultados: pasta.path(),
        vez: pasta.path(),
        tambem: &[],
        limites,
    };
    let mut dentro = moldura(&limites, &[], Path::new(""));
    dentro.push("true".into());
    let saida = cela.comando(&dentro).output().map_err(da_cela)?;
    if saida.status.success() {
        return Ok(());
    }
    let dito = String::from_utf8_lossy(&saida.stderr);
    if dito.contains("--disable-userns") {
        return Err("o bubblewrap desta máquina é antigo: precisa ser o 0.8, ou mais novo".into());
    }
    let ultima = dito.lines().last().unwrap_or("o bubblewrap não disse por quê").trim().to_owned();
    Err(format!("o sistema não deixa isolar um programa ({ultima})"))
}

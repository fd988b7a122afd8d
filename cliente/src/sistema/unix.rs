//! Linux, macOS e os outros Unix.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::shell::Shell;

/// O tamanho da janela de um terminal.
const JANELA: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// Quem lê o comando de `--iniciar`.
pub const SHELL: Shell = Shell::Sh;

/// Leva o limite de descritores ao máximo permitido. Se não der, vale o que houver.
pub fn aumentar_os_descritores() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}

/// Quantos descritores se podem ainda abrir, até `pedidos`. Pergunta-se abrindo: o limite sozinho não diz quantos já
/// estão em uso.
pub fn descritores_livres(pedidos: usize) -> usize {
    let erro = io::stderr();
    let copias = (0..pedidos).map(|_| erro.as_fd().try_clone_to_owned());
    copias.map_while(Result::ok).collect::<Vec<_>>().len()
}

/// Há um limite para os endereços de memória (`ulimit -v`)?
pub fn memoria_limitada() -> bool {
    rlimit::Resource::AS.get_soft().is_ok_and(|limite| limite < rlimit::INFINITY)
}

/// Este processo passa a ser `programa`, com os mesmos argumentos e mais uma variável. Só volta se falhar.
pub fn trocar_por(programa: &Path, (nome, valor): (&str, &str)) {
    let _ = Command::new(programa).args(env::args_os().skip(1)).env(nome, valor).exec();
}

/// A pasta que se criar é só deste usuário.
pub fn so_do_usuario(opcoes: &mut DirBuilder) -> &mut DirBuilder {
    opcoes.mode(0o700)
}

/// Em quantos tiques o sistema divide um segundo de processador.
pub fn tiques_por_segundo() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// O número de um sinal, que muda de um Unix para outro.
pub fn sinal(nome: &str) -> Option<i32> {
    let sinal = match nome {
        "SIGSEGV" => Signal::SEGV,
        "SIGPIPE" => Signal::PIPE,
        "SIGABRT" => Signal::ABORT,
        "SIGBUS" => Signal::BUS,
        "SIGFPE" => Signal::FPE,
        "SIGILL" => Signal::ILL,
        "SIGKILL" => Signal::KILL,
        "SIGTERM" => Signal::TERM,
        "SIGHUP" => Signal::HUP,
        "SIGINT" => Signal::INT,
        _ => return None,
    };
    Some(sinal.as_raw())
}

/// Escuta nesta porta, em todos os endereços.
///
/// # Errors
///
/// A porta está ocupada, ou não se pode escutar nela.
pub fn escutar(porta: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, porta))
}

/// O console de um servidor avaliado: um terminal de mentira, visto deste lado. O que se digita não volta nele, que é
/// só o que o servidor diz.
#[derive(Debug)]
pub struct Console(File);

impl Console {
    /// O console, e a ponta do servidor.
    ///
    /// # Errors
    ///
    /// O sistema não deu um terminal.
    pub fn abrir() -> io::Result<(Self, Stdio)> {
        let mestre = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        // Nem todo Unix o aceita em openpt: quem se abrir daqui em diante não pode herdá-lo.
        rustix::io::fcntl_setfd(&mestre, rustix::io::FdFlags::CLOEXEC)?;
        grantpt(&mestre)?;
        unlockpt(&mestre)?;
        let nome = ptsname(&mestre, Vec::new())?;
        // Sem NOCTTY, o terminal seria o de controle deste programa, se ele não tem um, e fechá-lo o mataria.
        let terminal = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(OsStr::from_bytes(nome.as_bytes()))?;
        let mut modos = tcgetattr(&terminal)?;
        modos.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &modos)?;
        tcsetwinsize(&terminal, JANELA)?;
        Ok((Console(File::from(mestre)), terminal.into()))
    }

    /// O que o zelador precisa saber, além do comando.
    pub fn opcoes_do_zelador(_entrada: Option<&str>) -> Vec<OsString> {
        Vec::new()
    }

    /// Digita uma linha.
    ///
    /// # Errors
    ///
    /// O terminal acabou.
    pub fn digitar(&mut self, linha: &str) -> io::Result<()> {
        self.0.write_all(format!("{linha}\n").as_bytes())
    }
}

impl Read for Console {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

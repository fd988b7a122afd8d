//! O zelador: um processo entre o avaliador e o servidor avaliado, para que o servidor acabe com o
//! avaliador, acabe este como acabar.
//!
//! É este mesmo programa, executado com um subcomando que a ajuda não mostra. A entrada dele é um cano que
//! só o avaliador segura: cada byte pede ao servidor que termine, e o fim do cano, que vem também de um
//! SIGKILL no avaliador, derruba o servidor e tudo o que ele deixou. A saída de erro é o terminal do
//! servidor. A saída padrão diz como o servidor terminou, em uma linha; fechá-la é dizer que não sobrou
//! ninguém.
//!
//! Não sabe o que é uma prova, nem lê o console.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use protocolo::terminal::{abrir_thread, explicar};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, ioctl_tiocsctty, kill_process,
    kill_process_group, setsid, wait,
};
use rustix::termios::tcsetpgrp;

use thiserror::Error;

use super::fim::Fim;
use super::processos::descendentes;
use super::trocas::Trocas;
use crate::multidao::limites::ARENAS;
use crate::opcoes::Zelo;

/// Entre uma passada e outra, quando se derruba quem sobrou: quem morre pode deixar filhos.
const ENTRE_PASSADAS: Duration = Duration::from_millis(5);

/// O sistema não deu o que o zelador precisa.
#[derive(Debug, Error)]
#[error("não posso executar o comando: {}", explicar(.0))]
pub struct Erro(#[from] io::Error);

/// Abre o servidor e fica até não sobrar ninguém.
///
/// # Errors
///
/// O sistema não deu o que ele precisa.
pub fn zelar(zelo: &Zelo) -> Result<(), Erro> {
    tomar_o_terminal()?;
    recolher_os_orfaos();
    // A pasta some com este valor, no fim da função.
    let trocas = zelo.trocas.as_deref().and_then(|pasta| Trocas::preparar(pasta).ok());
    // A thread antes do servidor: se falta uma, a falta é da máquina, e não do que ele já tenha gastado.
    let (abriu, aberto) = mpsc::channel();
    abrir_thread("avaliador", move || aberto.recv().map(obedecer))?;
    let servidor = abrir(&zelo.comando, trocas.as_ref())?;
    let _ = abriu.send(servidor);
    acompanhar(servidor);
    Ok(())
}

/// O terminal passa a ser o de controle desta sessão: para o servidor, é um console como outro qualquer.
fn tomar_o_terminal() -> io::Result<()> {
    setsid()?;
    // O terminal acaba com o avaliador, e o sistema o diz com um SIGHUP: é quando há o que fazer.
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::default())?;
    // Sem terminal de controle também se avalia.
    let _ = ioctl_tiocsctty(io::stderr());
    Ok(())
}

/// Quem perde o pai passa a ser filho deste processo, e não do primeiro da máquina: assim se acha também
/// quem foi para o segundo plano. Fora do Linux não se pode.
fn recolher_os_orfaos() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(getpid()));
}

/// Quem dorme 1 µs acorda em 1 µs, e não em 50, que é a folga que o Linux toma: sem isto, apressar o Python
/// quase não o apressa. O servidor herda.
fn apurar_os_relogios() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

fn abrir(comando: &str, trocas: Option<&Trocas>) -> io::Result<Pid> {
    let terminal = || io::Result::Ok(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?));
    let mut sh = Command::new("sh");
    sh.args(["-c", comando]).process_group(0);
    // O que este programa pôs para si, com a memória limitada, não é do servidor.
    sh.env_remove(ARENAS);
    sh.stdin(terminal()?).stdout(terminal()?).stderr(terminal()?);
    if let Some(trocas) = trocas {
        apurar_os_relogios();
        sh.env("PYTHONPATH", trocas.caminho_do_python());
    }
    let servidor = Pid::from_child(&sh.spawn()?);
    // Só o grupo da frente lê o terminal; quem tentou antes de estar nele parou, e continua.
    let _ = tcsetpgrp(io::stderr(), servidor);
    let _ = kill_process_group(servidor, Signal::CONT);
    Ok(servidor)
}

/// Faz o que o avaliador pede. Não volta: o processo acaba quando não sobra ninguém.
fn obedecer(servidor: Pid) {
    let mut entrada = io::stdin().lock();
    loop {
        match entrada.read(&mut [0]) {
            Ok(1..) => mandar(servidor, Signal::TERM),
            Err(erro) if erro.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    loop {
        mandar(servidor, Signal::KILL);
        thread::sleep(ENTRE_PASSADAS);
    }
}

/// Manda um sinal a todos os que descendem deste processo; onde não se sabe quem são, ao grupo do servidor.
fn mandar(servidor: Pid, sinal: Signal) {
    let todos = descendentes(getpid().as_raw_nonzero().get());
    // Quem já se foi não recebe, e tanto faz.
    if todos.is_empty() {
        let _ = kill_process_group(servidor, sinal);
    }
    for processo in todos.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(processo, sinal);
    }
}

/// Enterra todos, e diz como o servidor terminou.
fn acompanhar(servidor: Pid) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((quem, como))) if quem == servidor => {
                // Se o avaliador já se foi, ninguém lê.
                let _ = writeln!(io::stdout(), "{}", fim(como));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

fn fim(como: WaitStatus) -> Fim {
    match como.terminating_signal() {
        Some(sinal) => Fim::Sinal(sinal),
        None => Fim::Saiu(como.exit_status().unwrap_or_default()),
    }
}

//! O zelador, no Windows: um processo entre o avaliador e o servidor avaliado, para que o servidor acabe com o
//! avaliador, acabe este como acabar.
//!
//! É este mesmo programa, executado com um subcomando que a ajuda não mostra. O sistema acaba com tudo o que ele abriu
//! quando ele acaba (um *job object*), e ele acaba com o comando, ou quando o avaliador larga a entrada dele. A
//! saída de erro é o console do servidor, que aqui é um cano; a saída padrão diz como o servidor terminou.
//!
//! Não há como pedir que o servidor termine, nem se sabe do que o comando deixou em segundo plano: acaba com ele.

use std::io::{self, Read, Write};
use std::os::windows::io::AsHandle;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, Stdio};

use protocolo::terminal::{abrir_thread, explicar};
use thiserror::Error;
use win32job::{ExtendedLimitInfo, Job};

use super::fim::Fim;
use super::trocas::Trocas;
use crate::opcoes::Zelo;

/// O sistema não deu o que o zelador precisa.
#[derive(Debug, Error)]
#[error("não posso executar o comando: {}", explicar(.0))]
pub struct Erro(#[from] io::Error);

/// Abre o servidor e fica até ele terminar.
///
/// # Errors
///
/// O sistema não deu o que ele precisa.
pub fn zelar(zelo: &Zelo) -> Result<(), Erro> {
    acabar_com_todos()?;
    // A pasta some com este valor, no fim da função.
    let trocas = zelo.trocas.as_deref().and_then(|pasta| Trocas::preparar(pasta).ok());
    abrir_thread("avaliador", esperar_o_avaliador)?;
    let mut servidor = abrir(&zelo.comando, zelo.entrada.as_deref(), trocas.as_ref())?;
    let codigo = servidor.wait()?.code().unwrap_or_default();
    // Se o avaliador já se foi, ninguém lê.
    let _ = writeln!(io::stdout(), "{}", Fim::Saiu(codigo));
    Ok(())
}

/// Tudo o que este processo abrir acaba com ele.
fn acabar_com_todos() -> io::Result<()> {
    let mut limites = ExtendedLimitInfo::new();
    limites.limit_kill_on_job_close();
    let job = Job::create_with_limit_info(&limites).map_err(io::Error::other)?;
    job.assign_current_process().map_err(io::Error::other)?;
    // Quem o fecha é o sistema, no fim deste processo: fechado por nós, acabaria conosco no meio do que fazemos (e o
    // wineserver 8.0 cai).
    let _ = job.into_handle();
    Ok(())
}

fn abrir(comando: &str, entrada: Option<&str>, trocas: Option<&Trocas>) -> io::Result<Child> {
    let console = || io::Result::Ok(Stdio::from(io::stderr().as_handle().try_clone_to_owned()?));
    let mut cmd = Command::new("cmd");
    // O cmd entende as aspas à maneira dele: o comando vai como se escreveu, dentro de um par que o /S manda tirar. Sem
    // ele, de um caminho com espaços e outro argumento entre aspas o cmd tiraria a primeira e a última.
    cmd.args(["/D", "/S", "/C"]).raw_arg(format!("\"{comando}\""));
    cmd.stdin(Stdio::piped()).stdout(console()?).stderr(console()?);
    // Em um cano o Python guarda o que escreve, e o console de cada conferência ficaria vazio.
    cmd.env("PYTHONUNBUFFERED", "1").env("PYTHONUTF8", "1");
    if let Some(trocas) = trocas {
        cmd.env("PYTHONPATH", trocas.caminho_do_python());
    }
    let mut servidor = cmd.spawn()?;
    if let (Some(teclado), Some(entrada)) = (servidor.stdin.as_mut(), entrada) {
        // Quem terminou sem ler não lê: o fim dele é que diz por quê.
        let _ = teclado.write_all(format!("{entrada}\n").as_bytes());
    }
    Ok(servidor)
}

/// Não volta: o processo acaba quando o avaliador pede, ou larga a entrada.
fn esperar_o_avaliador() {
    let _ = io::stdin().lock().read(&mut [0]);
    std::process::exit(0);
}

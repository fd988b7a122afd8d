//! O strace: um servidor sob ele, e o que ele escreve, lido de volta.
//!
//! É por fora que se escolhe onde o servidor morre ou o disco falha: o código de produção não tem
//! ponto de falha nenhum. Onde não há strace, ou ele não pode acompanhar processos, os testes que o
//! pedem dizem que foram pulados.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use testes::por_meio_de;

use crate::sob_teste::Arquivo;

/// As chamadas que contam esta história. O strace só estraga as que também mostra.
const CHAMADAS: &str = "trace=read,recvfrom,write,writev,sendto,sendmsg,pwrite64,pwritev,\
                        fdatasync,fsync,ftruncate";

/// Há um strace que acompanhe processos? Se não há, o teste é pulado, e fica dito.
pub fn ha_strace() -> bool {
    let mut prova = Command::new("strace");
    prova.args(["-f", "-qq", "-o", "/dev/null", "true"]).stdin(Stdio::null());
    let serve = prova.output().is_ok_and(|saida| saida.status.success());
    if !serve {
        println!("sem um strace que acompanhe processos: teste pulado");
    }
    serve
}

/// Onde fica o rastro de quem vende com este livro.
pub fn caminho_do_rastro(livro: &Arquivo) -> PathBuf {
    livro.pasta().join("rastro")
}

/// O servidor de `livro`, sob o strace e com este estrago (`pwrite64:error=ENOSPC:when=3`), se há um.
pub fn sob_strace(livro: &Arquivo, estoque: Option<u64>, estrago: Option<&str>) -> Command {
    rastrear(livro, &livro.comando(estoque), &estrago.map(estragado).unwrap_or_default())
}

/// O mesmo, só com as chamadas sobre o arquivo do livro: as outras nem se mostram nem se estragam.
pub fn so_o_arquivo_sob_strace(livro: &Arquivo, estrago: Option<&str>) -> Command {
    let mut opcoes = estrago.map(estragado).unwrap_or_default();
    opcoes.extend(["-P".into(), livro.caminho().into()]);
    rastrear(livro, &livro.comando(None), &opcoes)
}

fn estragado(estrago: &str) -> Vec<String> {
    vec!["-e".into(), format!("inject={estrago}")]
}

/// Um programa que mexe em `livro`, sob o strace com estas opções a mais.
pub fn rastrear(livro: &Arquivo, comando: &Command, opcoes: &[String]) -> Command {
    // Com -D o strace é neto deste processo, e o servidor é filho: os sinais e o código de saída são
    // os dele, e as saídas só acabam quando os dois terminaram, com o rastro inteiro no arquivo.
    let mut strace = vec!["strace", "-D", "-f", "-q", "-y", "-s", "1024", "-e", CHAMADAS];
    let rastro = caminho_do_rastro(livro);
    strace.extend(["-e", "signal=none", "-o", rastro.to_str().unwrap()]);
    strace.extend(opcoes.iter().map(String::as_str));
    por_meio_de(&strace, comando)
}

/// Um instante de uma chamada de sistema, como o strace a escreve.
#[derive(Debug, PartialEq, Eq)]
pub enum Instante<'a> {
    /// Vai começar; só se conhece o que já se passou a ela.
    Comeca(&'a str),
    /// Voltou; com o resultado.
    Volta(String),
}

/// Os instantes de um rastro, na ordem, da thread que escreve no arquivo (`pid`) e das outras. Uma chamada
/// interrompida pela linha de outra thread (`<unfinished ...>`) começa em uma e volta na outra.
pub fn instantes(rastro: &str) -> Vec<(&str, Instante<'_>)> {
    let mut pela_metade = HashMap::new();
    let mut instantes = Vec::new();
    for linha in rastro.lines() {
        let Some((pid, chamada)) = linha.split_once(' ') else { continue };
        let chamada = chamada.trim_start();
        if let Some(comeco) = chamada.strip_suffix(" <unfinished ...>") {
            pela_metade.insert(pid, comeco);
            instantes.push((pid, Instante::Comeca(comeco)));
        } else if let Some((_, resto)) =
            chamada.strip_prefix("<... ").and_then(|volta| volta.split_once(" resumed>"))
        {
            let comeco = pela_metade.remove(pid).unwrap_or_default();
            instantes.push((pid, Instante::Volta(format!("{comeco}{resto}"))));
        } else {
            instantes.push((pid, Instante::Comeca(chamada)));
            instantes.push((pid, Instante::Volta(chamada.to_owned())));
        }
    }
    instantes
}

/// É uma chamada das que escrevem no WAL do livro? O cabeçalho dele (32 bytes no começo do arquivo)
/// não é de transação nenhuma.
pub fn escreve_no_wal(chamada: &str) -> bool {
    let cabecalho = chamada.contains(", 32, 0");
    ["pwrite64(", "pwritev(", "write(", "writev("].iter().any(|nome| chamada.starts_with(nome))
        && chamada.contains("-wal>")
        && !cabecalho
}

/// É uma das que esperam o WAL chegar ao disco?
pub fn firma_o_wal(chamada: &str) -> bool {
    (chamada.starts_with("fdatasync(") || chamada.starts_with("fsync("))
        && chamada.contains("-wal>")
}

/// É uma das que mandam bytes a um cliente?
pub fn manda_ao_cliente(chamada: &str) -> bool {
    ["sendto(", "sendmsg(", "write(", "writev("].iter().any(|nome| chamada.starts_with(nome))
        && chamada.contains("<socket:")
}

//! Repor com o servidor aberto: o que se diz no socket ao lado do livro, e o lado de quem pede (`--repor`).
//!
//! Um livro aberto é de um servidor só, e por isso é ele quem repõe. Quem pede escreve `REPOR 5`, em uma linha, e ouve
//! `OK` com as contas do livro, já firmes, ou `ERRO` e por quê. O socket é só do dono do livro; quem o atende, dentro do
//! laço, é o [reator](crate::reator).

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocolo::terminal::explicar;

use crate::livro::Contas;
use crate::sistema;

/// Uma linha desta conversa não passa disto.
pub(crate) const LINHA: usize = 512;

/// Quanto se espera o servidor responder: o disco dele pode demorar.
const PRAZO: Duration = Duration::from_secs(10);

/// Por que um servidor aberto não repôs.
#[derive(Debug, thiserror::Error)]
pub enum Falha {
    /// Ninguém espera pedidos ao lado do livro.
    #[error("não há servidor à espera de pedidos ao lado do livro")]
    NinguemOuve,
    /// O caminho do socket não cabe no endereço dele.
    #[error(
        "o livro está com outro servidor, e {} é um caminho longo demais para falar com ele; feche-o, ou ponha o livro em \
         uma pasta de nome mais curto", .0.display()
    )]
    CaminhoLongo(PathBuf),
    /// O socket não se deixa usar.
    #[error("o livro está com outro servidor, e não posso falar com ele: {}", explicar(.0))]
    SemConversa(io::Error),
    /// A conversa parou no meio.
    #[error(
        "o servidor que está com o livro não respondeu, e não se sabe se as unidades entraram; veja com 'servidor extrato \
         --resumo' antes de repetir"
    )]
    SemResposta,
    /// O servidor não repôs.
    #[error("o servidor que está com o livro não repôs: {0}")]
    Recusada(String),
}

/// Onde um servidor espera pedidos, com este livro. O nome é o do arquivo de verdade: por um atalho se chega ao mesmo.
///
/// # Errors
///
/// O livro não existe.
pub fn ao_lado(livro: &Path) -> io::Result<PathBuf> {
    let mut nome = livro.canonicalize()?.into_os_string();
    nome.push("-repor");
    Ok(nome.into())
}

/// Pede ao servidor que tem o livro aberto que acrescente estas unidades, e diz como o livro ficou.
///
/// # Errors
///
/// Não há servidor, ou ele não repôs, ou não se sabe.
pub fn pedir(livro: &Path, unidades: u64) -> Result<Contas, Falha> {
    let caminho = ao_lado(livro).map_err(Falha::SemConversa)?;
    let mut fluxo =
        sistema::pedir_localmente(&caminho, PRAZO).map_err(|erro| match erro.kind() {
            ErrorKind::InvalidInput => Falha::CaminhoLongo(caminho.clone()),
            ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::Unsupported => {
                Falha::NinguemOuve
            }
            _ => Falha::SemConversa(erro),
        })?;
    fluxo.write_all(format!("REPOR {unidades}\n").as_bytes()).map_err(Falha::SemConversa)?;
    let mut linha = String::new();
    let lido = fluxo.take(LINHA as u64).read_to_string(&mut linha);
    lido.map_err(|_| Falha::SemResposta)?;
    ler_resposta(&linha)
}

/// O que se pediu em uma linha.
pub(crate) fn ler_pedido(linha: &[u8]) -> Option<u64> {
    let unidades = std::str::from_utf8(linha).ok()?.strip_prefix("REPOR ")?.parse().ok()?;
    (unidades > 0).then_some(unidades)
}

/// A linha que diz como o livro ficou.
pub(crate) fn resposta(contas: Contas) -> String {
    let Contas { inicial, repostas, vendidas } = contas;
    format!("OK {inicial} {repostas} {vendidas}\n")
}

/// A linha que diz por que não se repôs. De um motivo que não cabe nela fica o começo: cortada sem o fim de linha, quem
/// pediu não saberia se se repôs.
pub(crate) fn recusa(motivo: &str) -> String {
    let cabe = LINHA - "ERRO \n".len();
    let letras = motivo.char_indices().take_while(|(onde, letra)| onde + letra.len_utf8() <= cabe);
    let dito: String = letras.map(|(_, letra)| if letra == '\n' { ' ' } else { letra }).collect();
    format!("ERRO {dito}\n")
}

fn ler_resposta(linha: &str) -> Result<Contas, Falha> {
    let linha = linha.strip_suffix('\n').ok_or(Falha::SemResposta)?;
    if let Some(motivo) = linha.strip_prefix("ERRO ") {
        return Err(Falha::Recusada(motivo.to_owned()));
    }
    let numeros = linha.strip_prefix("OK ").into_iter().flat_map(|numeros| numeros.split(' '));
    let numeros: Option<Vec<u64>> = numeros.map(|numero| numero.parse().ok()).collect();
    match numeros.as_deref() {
        Some([inicial, repostas, vendidas]) => {
            Ok(Contas { inicial: *inicial, repostas: *repostas, vendidas: *vendidas })
        }
        _ => Err(Falha::SemResposta),
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn o_que_se_responde_e_o_que_se_entende() {
        let contas = Contas { inicial: 10, repostas: 5, vendidas: 8 };
        assert_eq!(ler_resposta(&resposta(contas)).unwrap(), contas);
        let recusada = ler_resposta(&recusa("não\ncabe"));
        assert!(matches!(recusada, Err(Falha::Recusada(motivo)) if motivo == "não cabe"));
        // Um caminho comprido não esconde que não se repôs.
        let comprida = recusa(&"não ".repeat(LINHA));
        assert!(comprida.len() <= LINHA, "{}", comprida.len());
        assert!(matches!(ler_resposta(&comprida), Err(Falha::Recusada(_))));
        for cortada in ["", "OK 10 5 8", "OK 10 5\n", "OK 10 5 x\n", "Estoque atual: 10\n"] {
            assert!(matches!(ler_resposta(cortada), Err(Falha::SemResposta)), "{cortada}");
        }
    }

    #[test]
    fn so_se_repoe_o_que_se_entende() {
        assert_eq!(ler_pedido(b"REPOR 5"), Some(5));
        let errados: [&[u8]; 6] =
            [b"REPOR 0", b"REPOR -1", b"REPOR", b"REPOR 5 6", b"COMPRAR", b"REPOR \xff"];
        assert!(errados.iter().all(|errado| ler_pedido(errado).is_none()));
    }
}

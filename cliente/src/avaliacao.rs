//! O avaliador: dá a um servidor, em qualquer linguagem, a nota dos critérios da atividade (§10).
//!
//! ```text
//!   avaliar ─► banca      abre o servidor de novo para cada prova, e guarda o console dele
//!          ├─► fregues    uma conexão que faz o que a prova manda
//!          ├─► provas     o que se tenta, e entre elas a disputa: todos compram juntos
//!          └─► pontos     quanto vale o que se viu ─► laudo
//! ```
//!
//! É justo com o que o enunciado não diz: aceita respostas sem fim de linha, manda um comando por vez e
//! descobre que fim de linha o servidor espera, e entende o AVISO em outras palavras. E é severo com o que
//! ele diz: uma venda a mais em uma só rodada, um cliente calado que bloqueia os outros ou um reset que
//! derruba o servidor custam o item inteiro.
//!
//! Olha o servidor de fora. Se há um Lock no código, não sabe; sabe se a falta dele apareceu.

pub mod banca;
pub mod costumes;
mod disputa;
pub mod fregues;
pub mod laudo;
mod pagina;
mod pontos;
mod provas;

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use protocolo::terminal::explicar;

use crate::opcoes::{FimDeLinha, OpcoesDaAvaliacao};
use crate::parada::Parada;
use banca::Quem;
use fregues::Mundo;
use laudo::{Item, Laudo};
use provas::{Evidencias, Sala};

/// Avalia o servidor que as opções dizem; `None` se foi interrompida. O laudo cita `comando`, que a repete.
///
/// # Errors
///
/// O servidor não abre, ou não se chega a ele.
pub fn avaliar(opcoes: &OpcoesDaAvaliacao, comando: String) -> Result<Option<Laudo>, String> {
    // Cada comprador é um descritor. Se não der para aumentar o limite, vale o que houver.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let aberto = Arc::new(Mutex::new(None));
    // No Ctrl-C o servidor cai na hora: um segundo Ctrl-C já não o encontra para deixá-lo órfão.
    let do_sinal = Arc::clone(&aberto);
    let derrubar = move || {
        let grupo = do_sinal.lock().unwrap_or_else(PoisonError::into_inner);
        grupo.into_iter().for_each(banca::derrubar);
    };
    let parada = Parada::ao_sinal(derrubar)
        .map_err(|erro| format!("não posso capturar o Ctrl-C: {}", explicar(&erro)))?;
    let mut mundo = Mundo {
        quem: opcoes.iniciar.clone().map_or(Quem::NoAr, Quem::Comando),
        endereco: endereco(opcoes)?,
        espera: opcoes.espera,
        aberto,
        fim_de_linha: FimDeLinha::Lf,
        costumes: Arc::default(),
        estilo: Arc::default(),
        inicio: Instant::now(),
        parada,
    };
    let barra = barra(opcoes);
    mundo.fim_de_linha = match provas::fim_de_linha(&mundo) {
        Err(_) if mundo.parada.pedida() => return Ok(None),
        descoberto => descoberto?,
    };
    let sala = Sala { mundo: &mundo, opcoes, barra: &barra };
    let evidencias = match sala.reunir() {
        Err(_) if mundo.parada.pedida() => return Ok(None),
        reunidas => reunidas?,
    };
    barra.finish_and_clear();
    Ok((!mundo.parada.pedida()).then(|| laudo(opcoes, evidencias, comando)))
}

fn endereco(opcoes: &OpcoesDaAvaliacao) -> Result<SocketAddr, String> {
    let Some(servidor) = &opcoes.servidor else {
        return Ok((Ipv4Addr::LOCALHOST, opcoes.porta).into());
    };
    let enderecos: Vec<SocketAddr> =
        servidor.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    // Um nome pode ter vários endereços (`localhost` costuma ter um IPv6): vale o que atende.
    let atende = |endereco: &&SocketAddr| {
        std::net::TcpStream::connect_timeout(endereco, costumes::PRAZO).is_ok()
    };
    let escolhido = enderecos.iter().find(atende).or(enderecos.first());
    escolhido
        .copied()
        .ok_or_else(|| format!("'{servidor}' não é um servidor conhecido; confira --servidor"))
}

fn barra(opcoes: &OpcoesDaAvaliacao) -> ProgressBar {
    let rodadas = if opcoes.iniciar.is_some() { opcoes.rodadas } else { 1 };
    let barra = ProgressBar::new(u64::from(rodadas) + provas::OUTRAS_PROVAS);
    if let Ok(estilo) = ProgressStyle::with_template("{spinner} prova {pos} de {len}: {msg}") {
        barra.set_style(estilo);
    }
    barra
}

fn laudo(opcoes: &OpcoesDaAvaliacao, evidencias: Evidencias, comando: String) -> Laudo {
    let item = |nome, conferencias| Item { nome, conferencias };
    let itens = vec![
        item("Multithreading", pontos::multithreading(&evidencias, opcoes.compradores)),
        item("Exclusão Mútua", pontos::exclusao_mutua(&evidencias, opcoes.compradores)),
        item("Protocolo", pontos::protocolo(&evidencias, opcoes.estoque)),
        item("Robustez", pontos::robustez(&evidencias)),
    ];
    let pedidas = if opcoes.iniciar.is_some() { opcoes.rodadas as usize } else { 1 };
    let mut observacoes = pontos::observacoes(&evidencias, opcoes.compradores, pedidas);
    if opcoes.iniciar.is_none() {
        observacoes.push(
            "uma rodada só, e sem ver o console: com --iniciar a avaliação é completa".to_owned(),
        );
    }
    if opcoes.compradores as u64 <= opcoes.estoque {
        // Se cada um compra uma unidade só, ninguém disputa a última.
        observacoes.push(
            "com tão poucos compradores para o estoque, pouco se disputa: dê mais --compradores"
                .to_owned(),
        );
    }
    let broadcast = pontos::broadcast(&evidencias);
    Laudo {
        servidor: opcoes.iniciar.clone().or(opcoes.servidor.clone()).unwrap_or_default(),
        comando,
        itens,
        estoque: pontos::estoque(&evidencias),
        aviso: (broadcast.estado, broadcast.viu.clone()),
        extras: vec![pontos::log(&evidencias), broadcast],
        rodadas: evidencias.rodadas,
        observacoes,
    }
}

//! Monta a multidão, deixa-a viver e recolhe as histórias.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::ToSocketAddrs;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use protocolo::terminal::{contar, dizer, explicar};

use crate::arquivo::{Arquivo, Conteudo, GUARDADAS_MAXIMAS};
use crate::escuta::Estilo;
use crate::historia::Simulacao;
use crate::limites::{self, Limite};
use crate::opcoes::Opcoes;
use crate::painel::{Painel, Placar, Previsao};
use crate::parada::Parada;
use crate::piscina;
use crate::roteiro::{Regras, Roteiro, acelerada};
use crate::sessao::{self, Cena};
use crate::usuario::Usuario;

/// Simula a multidão que as opções pedem, com esta semente. Cada operação vai ao arquivo que `csv` abre,
/// se algum foi pedido; só é chamada quando já há o que simular.
///
/// # Errors
///
/// O nome do servidor não existe, ou o sistema não deu com que começar. Servidor que não responde
/// não é erro aqui: cada usuário conta o que lhe aconteceu.
pub fn simular(
    opcoes: &Opcoes,
    semente: u64,
    csv: impl FnOnce() -> Result<Option<File>, String>,
) -> Result<Simulacao, String> {
    let regras = regras(opcoes, semente);
    let ciclos = || (1..=opcoes.usuarios).map(|numero| Roteiro::novo(regras, numero).ciclos());
    let cena = cena(opcoes, csv)?;
    let (recados, novidades) = mpsc::channel();
    // `recados` vai com a tarefa: o painel para quando a última cópia do canal se fecha.
    let viver = {
        let cena = &cena;
        move |indice: usize| {
            let numero = indice + 1;
            let chegada = chegada(indice, opcoes);
            let usuario =
                Usuario::novo(numero, Roteiro::novo(regras, numero), chegada, opcoes.reconectar);
            sessao::viver(numero, usuario, cena, recados.clone())
        }
    };
    let pedidas = opcoes.threads.unwrap_or(opcoes.usuarios).min(opcoes.usuarios);
    let (cabem, limite) = limites::cabem(pedidas);
    if let (0, Some(limite)) = (cabem, limite) {
        return Err(format!("não cabe nem um usuário: {}", limite.remedio()));
    }
    let acompanhar = |threads| {
        let limite = if threads < cabem { Some(Limite::Threads) } else { limite };
        anunciar(opcoes, semente, threads);
        if let Some(aviso) = faltaram(opcoes.usuarios, pedidas, threads, limite) {
            dizer(format_args!("cliente: {aviso}"));
        }
        let previsao = Previsao::de(opcoes, ciclos(), threads);
        Painel::novo(opcoes, previsao, &cena.placar).acompanhar(&novidades);
    };
    let mut historias =
        piscina::executar(cabem, opcoes.usuarios, viver, acompanhar).map_err(|_| sem_threads())?;
    historias.sort_unstable_by_key(|historia| historia.usuario);
    let duracao = cena.inicio.elapsed();
    let arquivo = cena.arquivo.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Conteudo { historias, medidas, perdidas, csv } = arquivo.concluir(historias);
    Ok(Simulacao {
        historias,
        medidas,
        perdidas,
        csv,
        semente,
        usuarios: opcoes.usuarios,
        ciclos_previstos: ciclos().map(u64::from).sum(),
        duracao,
        interrompida: cena.parada.pedida(),
    })
}

/// O que todas as sessões têm em comum; o relógio da simulação começa aqui.
fn cena(
    opcoes: &Opcoes,
    csv: impl FnOnce() -> Result<Option<File>, String>,
) -> Result<Cena, String> {
    let enderecos = opcoes.servidor.to_socket_addrs().map_err(|_| {
        format!("'{}' não é um servidor conhecido; confira --servidor", opcoes.servidor)
    })?;
    // Cada usuário é um descritor. Se não der para aumentar o limite, vale o que houver.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let parada = Parada::ao_sinal(|| ()).map_err(|erro| sem_ctrl_c(&erro))?;
    let csv = csv()?.map(|csv| Box::new(csv) as Box<dyn Write + Send>);
    Ok(Cena {
        inicio: Instant::now(),
        enderecos: enderecos.collect(),
        espera: opcoes.espera,
        fim_de_linha: opcoes.fim_de_linha,
        detalhado: opcoes.detalhado,
        placar: Placar::default(),
        parada,
        arquivo: Mutex::new(Arquivo::novo(opcoes.usuarios, GUARDADAS_MAXIMAS, csv)),
        estilo: Estilo::default(),
    })
}

fn regras(opcoes: &Opcoes, semente: u64) -> Regras {
    let Opcoes { ciclos, decisao, escuta, acelerar, .. } = *opcoes;
    Regras { semente, ciclos, decisao, escuta, acelerar }
}

/// As chegadas se espalham por igual pela rampa.
fn chegada(indice: usize, opcoes: &Opcoes) -> Duration {
    let rampa = acelerada(opcoes.rampa, opcoes.acelerar).as_secs_f64();
    let fracao = indice as f64 / opcoes.usuarios as f64;
    Duration::try_from_secs_f64(rampa * fracao).unwrap_or(Duration::MAX)
}

fn anunciar(opcoes: &Opcoes, semente: u64, threads: usize) {
    let usuarios = opcoes.usuarios;
    dizer(format_args!(
        "cliente: {} em {} contra {} (semente {semente})",
        contar(usuarios, "usuário", "usuários"),
        contar(threads, "thread", "threads"),
        opcoes.servidor
    ));
}

/// O que dizer de haver menos threads que usuários, se há: por escolha, ou porque algo faltou. Uma só basta
/// para seguir: todos viverão, e o veredito vale sobre o que viverem; o que se perde é a multidão.
fn faltaram(
    usuarios: usize,
    pedidas: usize,
    threads: usize,
    limite: Option<Limite>,
) -> Option<String> {
    let espera = format!("no máximo {threads} ao mesmo tempo, e os outros esperam a vez");
    match limite {
        Some(limite) if threads < pedidas => Some(format!(
            "o sistema só deu {threads} de {pedidas} threads ({}); a simulação segue: {espera}",
            limite.remedio()
        )),
        _ if threads < usuarios => Some(format!("há menos threads que usuários: {espera}")),
        _ => None,
    }
}

fn sem_threads() -> String {
    format!("o sistema não deu nenhuma thread: {}", Limite::Threads.remedio())
}

/// Quem ouve o Ctrl-C é uma thread, a primeira que o programa pede: quando não há nenhuma, é aqui que se
/// descobre, e o sistema o diz como "tente de novo" (EAGAIN).
fn sem_ctrl_c(erro: &io::Error) -> String {
    match erro.kind() {
        ErrorKind::WouldBlock => sem_threads(),
        _ => format!("não posso capturar o Ctrl-C: {}", explicar(erro)),
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use clap::Parser;

    #[test]
    fn o_que_falta_e_dito_com_o_que_aumentar_e_o_que_se_escolheu_nao_e_falta() {
        assert_eq!(faltaram(50, 50, 50, None), None);
        let escolhido = faltaram(50, 3, 3, None).unwrap();
        assert!(
            escolhido.starts_with("há menos threads que usuários: no máximo 3 "),
            "{escolhido}"
        );
        let faltou = faltaram(50, 20, 3, Some(Limite::Descritores)).unwrap();
        assert!(faltou.starts_with("o sistema só deu 3 de 20 threads ("), "{faltou}");
        assert!(faltou.contains("'ulimit -n'") && faltou.contains("no máximo 3 "), "{faltou}");
        assert!(faltaram(50, 50, 3, Some(Limite::Threads)).unwrap().contains("'ulimit -u'"));
    }

    #[test]
    fn a_rampa_espalha_as_chegadas_por_igual_e_tambem_e_acelerada() {
        let opcoes = |linha: &str| Opcoes::parse_from(linha.split(' '));
        let chegadas = |opcoes: &Opcoes| [0, 1, 3].map(|indice| chegada(indice, opcoes));
        let segundos = |s| Duration::from_secs(s);
        let normal = opcoes("cliente --usuarios 4 --rampa 8s");
        assert_eq!(chegadas(&normal), [segundos(0), segundos(2), segundos(6)]);
        let rapida = opcoes("cliente --usuarios 4 --rampa 8s --acelerar 2");
        assert_eq!(chegadas(&rapida), [segundos(0), segundos(1), segundos(3)]);
        let nenhuma = opcoes("cliente --usuarios 4");
        assert_eq!(chegadas(&nenhuma), [segundos(0); 3]);
    }
}

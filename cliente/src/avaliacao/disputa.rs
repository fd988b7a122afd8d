//! A disputa: todos compram ao mesmo tempo, de um servidor recém-aberto, e a auditoria confere. É aqui
//! que a falta de um Lock aparece, se aparecer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use protocolo::Comando;
use protocolo::mensagem::visivel;

use super::alvo::Alvo;
use super::erro::Erro;
use super::evidencias::{Ouvintes, Rodada};
use super::sonda::{Pedido, Sonda, Troca};
use super::vez::{Guarda, Vez};
use crate::auditoria::regra::Regra;
use crate::auditoria::violacao::Violacao;
use crate::auditoria::{ESPERA_DO_AVISO, auditar};
use crate::conversa::desfecho::Desfecho;
use crate::historia::vivido::{Historia, Operacao};
use crate::multidao::pool;

/// Enquanto outros compram, de quanto em quanto tempo quem ouve pergunta se já acabaram.
const ENTRE_OLHADAS: Duration = Duration::from_millis(100);

/// Uma resposta repetida: não diz nada do pedido que a ouviu.
const REPETICAO: Desfecho = Desfecho::Estranho(String::new());

/// Quantos clientes que falham bastam para desistir de reunir os outros.
const SEM_RESPOSTA_BASTAM: usize = 2;

/// O que se viu em uma disputa.
#[derive(Debug, Default)]
pub struct Disputa {
    /// As contas e as contradições.
    pub rodada: Rodada,
    /// Quem ouviu o AVISO, se se ficou para ouvir.
    pub aviso: Ouvintes,
    /// As compras, como foram pedidas e respondidas.
    pub compras: Vec<Troca>,
}

/// Como é uma disputa.
#[derive(Debug, Clone, Copy)]
pub struct Plano<'a> {
    /// Quantos compram.
    pub compradores: usize,
    /// O servidor atende um enquanto outro, conectado, nada pede?
    pub atende_varios: bool,
    /// Quanto se espera que haja à venda: ninguém tenta comprar mais que isso e mais uma.
    pub ha: u64,
    /// Quanto havia à venda, se o servidor o disse.
    pub lido: Option<u64>,
    /// Com quanto o servidor abriu, se ninguém mais compra dele.
    pub estoque: Option<u64>,
    /// Depois de comprar, ficam à espera do AVISO?
    pub ouvir: bool,
    /// O que querem dizer os números que o servidor troca; vazio, se não os troca.
    pub numeros: &'a BTreeMap<i128, i128>,
    /// O servidor manda mais respostas do que pedidos?
    pub sobras: bool,
    /// O que o servidor diz a quem recusa, se não se entende por si.
    pub recusa: Option<&'a str>,
    /// A vez de comprar, se há vizinhos.
    pub vez: Option<&'a Vez>,
}

/// Todos conectam e consultam, um de cada vez, ainda acompanhados dos vizinhos; depois, sem vizinhos, compram
/// juntos até ouvir que esgotou.
///
/// # Errors
///
/// O sistema não deu nenhuma thread.
pub fn disputar<'a>(
    alvo: &'a Alvo,
    primeiro: Sonda<'a>,
    plano: Plano<'_>,
    acompanhado: Option<Guarda<'_>>,
) -> Result<Disputa, Erro> {
    let sondas = reunir(alvo, primeiro, plano.compradores);
    let atendidos = sondas.iter().filter(|sonda| !sonda.fechada()).count();
    // Quem fecha a cada resposta nunca tem dois conectados, mas pode atender dois ao mesmo tempo.
    let voltam = alvo.costumes.fecha() && plano.atende_varios;
    let compradores = if voltam { sondas.len() } else { atendidos };
    if compradores < 2 {
        let rodada = Rodada { convidados: plano.compradores, atendidos, ..Rodada::default() };
        return Ok(Disputa { rodada, ..Disputa::default() });
    }
    drop(acompanhado);
    let sozinho = plano.vez.map(Vez::sozinho);
    let mut sondas = comprar_juntos(alvo, sondas, plano)?;
    drop(sozinho);
    if let Some(sonda) = sondas.first_mut() {
        sonda.pede(Comando::Consultar);
    }
    let trocas = sondas.iter().flat_map(|sonda| &sonda.trocas);
    let compras = trocas.filter(|troca| troca.comando == Comando::Comprar).cloned().collect();
    let palavras = sondas.iter().find_map(Sonda::aviso_inexato);
    // Só o que se reconhece como AVISO: uma saudação também chega sem ninguém pedir.
    let ouviram: Vec<Vec<Duration>> = sondas.iter().map(|f| f.ouvidos.clone()).collect();
    let presentes = sondas.iter().filter(|f| !(f.fechada() && f.avisos.is_empty())).count();
    let mut historias: Vec<Historia> =
        sondas.into_iter().zip(1..).map(|(sonda, numero)| sonda.historia(numero)).collect();
    destrocar(&mut historias, plano);
    if plano.sobras {
        historias.iter_mut().for_each(desfazer_repeticoes);
    }
    let aviso = Ouvintes { conectados: presentes, ..ouvintes(&historias, &ouviram, palavras) };
    let contas = Rodada {
        convidados: plano.compradores,
        atendidos,
        compradores,
        havia: plano.lido,
        ..contas(&historias)
    };
    let contradicoes = contradicoes(historias, plano.estoque);
    Ok(Disputa { rodada: Rodada { contradicoes, ..contas }, aviso, compras })
}

/// Conecta os compradores um a um, e cada um consulta, e começa a ser respondido, antes do próximo: assim todos estão
/// sendo atendidos, e nenhum espera na fila do sistema. Se os primeiros não são, os outros não seriam.
fn reunir<'a>(alvo: &'a Alvo, primeiro: Sonda<'a>, compradores: usize) -> Vec<Sonda<'a>> {
    let mut consultam = Vec::new();
    let mut falharam = 0;
    let mut proximo = Some(primeiro);
    while consultam.len() + falharam < compradores && falharam < SEM_RESPOSTA_BASTAM {
        let sonda = proximo.take().or_else(|| Sonda::conectar(alvo).ok());
        let consulta = sonda.and_then(|mut sonda| {
            let pedido = sonda.comeca_a_pedir(Comando::Consultar)?;
            Some((sonda, pedido))
        });
        match consulta {
            Some(consulta) => consultam.push(consulta),
            None => falharam += 1,
        }
    }
    let consultam = consultam.into_iter();
    let respondida =
        |(mut sonda, pedido): (Sonda<'a>, Pedido)| sonda.conclui(pedido).map(|_| sonda);
    consultam.filter_map(respondida).collect()
}

/// A largada: ninguém parte antes de todos estarem prontos. Quantos são todos, só se sabe depois de o
/// sistema dar as threads.
#[derive(Default)]
struct Largada {
    /// Quantos estão prontos, e quantos se esperam.
    prontos: Mutex<(usize, Option<usize>)>,
    mudou: Condvar,
}

impl Largada {
    fn esperar(&self) {
        let mut prontos = self.prontos.lock().unwrap_or_else(PoisonError::into_inner);
        prontos.0 += 1;
        self.mudou.notify_all();
        let faltam =
            |(prontos, todos): &mut (usize, Option<usize>)| todos.is_none_or(|n| *prontos < n);
        drop(self.mudou.wait_while(prontos, faltam));
    }

    fn sao(&self, todos: usize) {
        self.prontos.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(todos);
        self.mudou.notify_all();
    }
}

/// Quantos ainda compram, e quando o último acabou.
#[derive(Default)]
struct Saida {
    faltam: AtomicIsize,
    ultima: Mutex<Duration>,
}

impl Saida {
    /// São estes a comprar. Quem só compra depois, por falta de threads, ninguém espera.
    fn sao(&self, todos: usize) {
        self.faltam.store(isize::try_from(todos).unwrap_or(isize::MAX), Ordering::Release);
    }

    fn acabou(&self, agora: Duration) {
        let mut ultima = self.ultima.lock().unwrap_or_else(PoisonError::into_inner);
        *ultima = agora.max(*ultima);
        drop(ultima);
        self.faltam.fetch_sub(1, Ordering::Release);
    }

    /// Até quando se espera o AVISO; `None` enquanto alguém compra.
    fn limite(&self) -> Option<Duration> {
        let ultima = self.ultima.lock().unwrap_or_else(PoisonError::into_inner);
        (self.faltam.load(Ordering::Acquire) <= 0).then_some(*ultima + ESPERA_DO_AVISO)
    }
}

/// Todos compram ao mesmo tempo, e quem acaba fica ouvindo, se é o caso. Cada um ouve na sua thread: assim
/// o instante de um AVISO é o da chegada, e não o da vez de quem o leu.
fn comprar_juntos<'a>(
    alvo: &Alvo,
    sondas: Vec<Sonda<'a>>,
    plano: Plano<'_>,
) -> Result<Vec<Sonda<'a>>, Erro> {
    let quantos = sondas.len();
    let fila = Mutex::new(sondas);
    let largada = Largada::default();
    let saida = Saida::default();
    let comprar = |_| {
        let mut sonda = fila.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(sonda) = &mut sonda {
            sonda.volta = true;
            sonda.volta_se_preciso();
        }
        largada.esperar();
        if let Some(sonda) = &mut sonda {
            sonda.compra_tudo(plano.ha + 1);
            saida.acabou(alvo.inicio.elapsed());
            if plano.ouvir {
                ouvir(alvo, sonda, &saida);
            }
        }
        sonda
    };
    let largar = |threads| {
        saida.sao(threads);
        largada.sao(threads);
    };
    let voltaram = pool::executar(quantos, quantos, comprar, largar).map_err(Erro::SemThreads)?;
    Ok(voltaram.into_iter().flatten().collect())
}

/// Ouve até o AVISO, ou até que ele já não possa chegar na hora.
fn ouvir(alvo: &Alvo, sonda: &mut Sonda<'_>, saida: &Saida) {
    while sonda.avisos.is_empty() && !sonda.fechada() && !alvo.parada.pedida() {
        let agora = alvo.inicio.elapsed();
        match saida.limite() {
            Some(limite) if agora >= limite => return,
            Some(limite) => sonda.espera_aviso(limite),
            None => sonda.espera_aviso(agora + ENTRE_OLHADAS),
        }
    }
}

/// As contradições sobre o estoque. O AVISO é um extra: se é ele que se contradiz, aqui não conta.
pub fn contradicoes(mut historias: Vec<Historia>, estoque: Option<u64>) -> Vec<Violacao> {
    for conexao in historias.iter_mut().flat_map(|historia| &mut historia.conexoes) {
        conexao.avisos.clear();
    }
    let violacoes = auditar(&historias, estoque).violacoes;
    violacoes.into_iter().filter(|violacao| violacao.regra.do_estoque()).collect()
}

/// Troca o que o servidor diz a seu modo pelo que queria dizer a um cliente sozinho: os números errados e a
/// recusa. O que nunca disse fica como está.
fn destrocar(historias: &mut [Historia], plano: Plano<'_>) {
    for operacao in historias.iter_mut().flat_map(|historia| &mut historia.operacoes) {
        let Some((_, desfecho)) = &mut operacao.resposta else { continue };
        match desfecho {
            Desfecho::Comprou(dito) => *dito = plano.numeros.get(dito).copied().unwrap_or(*dito),
            Desfecho::Estranho(dito)
                if plano.recusa.is_some_and(|recusa| visivel(recusa) == *dito) =>
            {
                *desfecho = Desfecho::Recusado;
            }
            _ => {}
        }
    }
}

/// De quem manda mais respostas do que pedidos, a mesma venda ouvida outra vez na mesma conexão é repetição: o
/// que esse pedido fez não se sabe. E toda resposta pode ser de um pedido anterior.
fn desfazer_repeticoes(historia: &mut Historia) {
    for conexao in &mut historia.conexoes {
        conexao.dessincronizou(conexao.pediu);
    }
    let mut ditas = BTreeSet::new();
    for operacao in &mut historia.operacoes {
        let Some((_, desfecho)) = &mut operacao.resposta else { continue };
        if matches!(desfecho, Desfecho::Comprou(n) if !ditas.insert((operacao.conexao, *n))) {
            *desfecho = REPETICAO;
        }
    }
}

/// Quantas compras, e como terminaram.
fn contas(historias: &[Historia]) -> Rodada {
    let compras = || historias.iter().flat_map(|h| &h.operacoes).filter(|o| o.compra);
    let quantas = |certo: fn(&Desfecho) -> bool| {
        compras().filter(|o| o.resposta.as_ref().is_some_and(|(_, d)| certo(d))).count() as u64
    };
    let estranha = |operacao: &Operacao| match &operacao.resposta {
        Some((_, outro @ Desfecho::Estranho(texto))) if *outro != REPETICAO => Some(texto.clone()),
        _ => None,
    };
    Rodada {
        vendas: quantas(Desfecho::vendeu),
        recusas: quantas(|desfecho| matches!(desfecho, Desfecho::Recusado)),
        sem_resposta: compras().filter(|o| o.resposta.is_none()).count() as u64,
        estranhas: quantas(|d| matches!(d, Desfecho::Estranho(_)) && *d != REPETICAO),
        primeira_estranha: compras().find_map(estranha),
        ..Rodada::default()
    }
}

/// Quem ouviu o AVISO na disputa; `outras_palavras`, se não foram as do enunciado.
fn ouvintes(
    historias: &[Historia],
    ouviram: &[Vec<Duration>],
    outras_palavras: Option<String>,
) -> Ouvintes {
    let quem_ouviu = |ouviu: bool| -> Vec<&Historia> {
        let quem = historias.iter().zip(ouviram).filter(|(_, avisos)| avisos.is_empty() != ouviu);
        quem.map(|(historia, _)| historia).collect()
    };
    let e_o_comprador = |quem: Vec<&Historia>| {
        let [unico] = quem[..] else { return false };
        let mut respostas = unico.operacoes.iter().filter_map(|o| o.resposta.as_ref());
        respostas.any(|(_, desfecho)| *desfecho == Desfecho::Comprou(0))
    };
    let veredito = auditar(historias, None);
    // O atraso só vale se ninguém faltou: são ouvidos um depois do outro, e quem espera em vão atrasa a
    // hora em que se ouvem os seguintes.
    let todos = ouviram.iter().all(|avisos| !avisos.is_empty());
    let fora_de_hora = |violacao: &&Violacao| match violacao.regra {
        Regra::AvisoAdiantado => true,
        Regra::AvisoAtrasado { .. } => todos,
        _ => false,
    };
    let repetido = ouviram.iter().any(|avisos| avisos.len() > 1);
    let primeiros = || ouviram.iter().filter_map(|avisos| avisos.first());
    let espalhamento =
        primeiros().max().zip(primeiros().min()).map(|(ultimo, primeiro)| *ultimo - *primeiro);
    Ouvintes {
        conectados: historias.len(),
        ouviram: primeiros().count(),
        menos_o_comprador: e_o_comprador(quem_ouviu(false)),
        so_o_comprador: e_o_comprador(quem_ouviu(true)),
        desordem: veredito
            .violacoes
            .iter()
            .find(fora_de_hora)
            .map(|violacao| violacao.to_string())
            .or(repetido.then(|| "o mesmo cliente o recebeu mais de uma vez".into())),
        outras_palavras,
        nao_entendido: historias
            .iter()
            .flat_map(|historia| &historia.conexoes)
            .find_map(|conexao| conexao.nao_entendido.clone()),
        espalhamento: espalhamento.unwrap_or_default(),
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::time::Instant;

    use crate::avaliacao::alvo::Quem;
    use crate::conversa::fim_de_linha::FimDeLinha;

    const TODOS: usize = 4;

    /// Começa a responder a cada um, e só quando o último pergunta termina as respostas dos outros.
    fn responder_no_fim(porta: &TcpListener) -> Vec<TcpStream> {
        let mut atendidos: Vec<TcpStream> = Vec::new();
        for atendido in 1..=TODOS {
            let (mut conexao, _) = porta.accept().unwrap();
            assert!(conexao.read(&mut [0; 64]).unwrap() > 0);
            if atendido == TODOS {
                for outro in &mut atendidos {
                    outro.write_all(b"7\n").unwrap();
                }
            }
            let resposta: &[u8] =
                if atendido == TODOS { b"Estoque atual: 7\n" } else { b"Estoque atual: " };
            conexao.write_all(resposta).unwrap();
            atendidos.push(conexao);
        }
        atendidos
    }

    #[test]
    fn reunir_nao_espera_a_resposta_inteira_de_um_para_conectar_o_seguinte() {
        let porta = TcpListener::bind("127.0.0.1:0").unwrap();
        let alvo = Alvo {
            quem: Quem::NoAr,
            endereco: porta.local_addr().unwrap(),
            espera: Duration::ZERO,
            fim_de_linha: FimDeLinha::Lf,
            aberto: Arc::default(),
            estilo: Arc::default(),
            costumes: Arc::default(),
            inicio: Instant::now(),
            parada: Arc::default(),
        };
        std::thread::scope(|escopo| {
            let atendidos = escopo.spawn(|| responder_no_fim(&porta));
            let primeiro = Sonda::conectar(&alvo).unwrap();
            let reunidos = reunir(&alvo, primeiro, TODOS);
            let respostas: Vec<_> =
                reunidos.iter().map(|sonda| sonda.trocas[0].resposta.as_deref()).collect();
            assert_eq!(respostas, [Some("Estoque atual: 7"); TODOS]);
            drop(atendidos.join());
        });
    }
}

//! A auditoria: o servidor vendeu direito? Uma função pura sobre as histórias.
//!
//! Um estoque certo só desce, uma unidade por vez, e cada unidade tem um só comprador. Toda resposta
//! é uma *leitura* desse contador em algum instante entre o envio do pedido e a chegada da resposta:
//! CONSULTAR lê o que há, uma venda lê o que restou, "esgotado" lê zero. Daí as regras:
//!
//! 1. nenhuma leitura é negativa;
//! 2. duas vendas nunca leem o mesmo restante: seria a mesma unidade vendida duas vezes;
//! 3. se uma leitura terminou antes de outra começar, a segunda não pode ver mais que a primeira
//!    (uma venda, nem o mesmo): o contador teria subido;
//! 4. se só a multidão compra e se sabe com quanto o servidor abriu, ninguém lê mais que isso e
//!    nenhuma unidade some: o que o contador desceu, alguém aqui comprou, ou pode ter comprado em um
//!    pedido que ficou sem resposta. Recusar com uma unidade por vender é o mesmo que sumir com ela. E não
//!    há mais vendas do que unidades, ainda que nem todas digam quanto restou;
//! 5. o AVISO chega uma vez, e só uma, a cada conexão que estava aberta no esgotamento (§7.3), logo
//!    depois dele, e não antes nem a quem conectou depois. A ordem entre ele e a resposta do comprador
//!    não é conferida: o enunciado não a pede.
//!
//! As quatro primeiras são sobre o estoque; a quinta, sobre o AVISO, que é um extra (§9). São dois
//! vereditos: um AVISO errado, ou que faltou, não diz que o Lock está errado, e por isso o AVISO também
//! não testemunha nas quatro primeiras. Sem nenhuma venda e nenhuma recusa que se entendam, do estoque
//! só se acusa o que as consultas contradizem; que está certo, não se diz.
//!
//! As três primeiras são a linearizabilidade inteira, porque o contador só desce: o valor de cada
//! leitura já diz o lugar dela na única ordem possível (a venda que deixou v, as leituras de v, a
//! venda que deixou v-1...). Uma ordem assim cabe nos intervalos se, e só se, nenhuma operação que a
//! ordem põe antes começou depois de terminar uma que ela põe depois; e isso é a regra 3. Uma venda
//! que a multidão não viu não tem intervalo, e por isso não muda a conta. A regra 4 acrescenta as
//! vendas sem dono: cada uma precisa de um pedido sem resposta que tenha partido a tempo.
//!
//! O mesmo diz um verificador que não é nosso (o WGL do crate `todc-utils`, que só conhece o contador sequencial):
//! em 4.000 histórias sorteadas, certas e com defeitos plantados, os dois concordam em todas
//! (`cargo test -p cliente --test linearizabilidade -- --nocapture`). Com vendas sem número a auditoria é mais
//! fraca, e só se confere que ela não acusa quem o verificador explica.
//!
//! O que a multidão não pode afirmar fica como observação, não como acusação: sem saber que compra
//! sozinha, uma unidade que ninguém aqui comprou pode ter ido a outro comprador.

use std::collections::BTreeSet;
use std::time::Duration;

use protocolo::terminal::contar;

use crate::historia::{Desfecho, Falha, Historia, Operacao, Presenca, Simulacao};
use crate::parecer::{Leitura, Parecer, Que, Regra, Violacao};
use crate::resumo::{citar, formatar};

/// Até quanto depois do esgotamento o AVISO chega "quase instantaneamente" (§7.3), para a multidão e
/// para o avaliador. É folgado de propósito: ele leva milissegundos, e uma acusação falsa é pior que um
/// atraso.
pub const TOLERANCIA_DO_AVISO: Duration = Duration::from_secs(1);

/// Quanto se fica à espera dele depois do esgotamento, para saber se faltou ou só atrasou.
pub const ESPERA_DO_AVISO: Duration = Duration::from_secs(3);

/// Confere as histórias de uma simulação. `estoque` é com quantas unidades o servidor abriu, se
/// ninguém mais comprou delas; sem isso, a regra 4 não se afirma.
pub fn auditar(historias: &[Historia], estoque: Option<u64>) -> Parecer {
    let leituras = reunir_leituras(historias);
    let mut violacoes = Vec::new();
    negativas(&leituras, &mut violacoes);
    vendas_repetidas(&leituras, &mut violacoes);
    subidas(&leituras, &mut violacoes);
    let mut com_os_avisos = leituras.clone();
    com_os_avisos.extend(leituras_dos_avisos(historias));
    if let Some(inicial) = estoque.map(i128::from) {
        violacoes.extend(acima_do_inicial(&leituras, inicial));
        let partidas = sem_lugar(historias);
        let sumida = sumidas(&leituras, partidas.clone(), inicial);
        if sumida.is_none() {
            let pelo_aviso = sumidas(&com_os_avisos, partidas, inicial);
            violacoes.extend(pelo_aviso.map(aviso_com_o_que_vender));
        }
        violacoes.extend(sumida);
        violacoes.extend(mais_que_havia(historias, inicial));
    }
    let mut observacoes = observar(historias, &com_os_avisos, estoque.is_some());
    let esgotamento = Esgotamento::de(&com_os_avisos);
    avisos(historias, &leituras, esgotamento.as_ref(), &mut violacoes);
    observacoes.extend(esgotamento.as_ref().and_then(|e| e.espalhou_devagar(historias)));
    // Estável: no mesmo instante, na ordem das regras.
    violacoes.sort_by_key(|violacao| violacao.quando);
    let ouviram = ouvintes(historias, &com_os_avisos, esgotamento.as_ref());
    Parecer { violacoes, observacoes, vendas: ha_vendas(historias, &leituras), ouviram }
}

/// Quando alguém teria de conectar para se ver se o AVISO também chega a quem vem depois; `None` se ninguém o
/// ouviu, se não se sabe do esgotamento, ou se alguém já conectou depois dele.
pub fn quando_visitar(historias: &[Historia]) -> Option<Duration> {
    let presencas = || historias.iter().flat_map(|historia| &historia.presencas);
    if presencas().all(|presenca| presenca.avisos.is_empty()) {
        return None;
    }
    let esgotamento = Esgotamento::de(&reunir_leituras(historias))?;
    esgotamento.depois_de?;
    let depois = esgotamento.ate.fim + TOLERANCIA_DO_AVISO;
    let ninguem = presencas().all(|presenca| presenca.pediu <= depois);
    // Um instante a mais: a regra 5 só fala de quem pediu a conexão depois da tolerância.
    ninguem.then_some(depois + Duration::from_millis(1))
}

/// Viu-se por que julgar as vendas? Uma venda, ou uma recusa a que não falte uma venda: se alguém viu o que
/// vender, ninguém viu vender, e há compras que não se sabe se valeram, o que houve de vendas não se viu.
fn ha_vendas(historias: &[Historia], leituras: &[Leitura]) -> Result<(), String> {
    let viu = |que| leituras.iter().any(|leitura| leitura.que == que);
    let havia = leituras.iter().any(|leitura| leitura.valor > 0);
    let compras = || historias.iter().flat_map(|h| &h.operacoes).filter(|o| o.compra);
    let em_duvida = compras().filter(|compra| compra.em_duvida()).count();
    let vendeu = compras().any(|o| o.resposta.as_ref().is_some_and(|(_, d)| d.vendeu()));
    if vendeu || viu(Que::Recusa) && (em_duvida == 0 || !havia) {
        return Ok(());
    }
    let que = if viu(Que::Recusa) { "venda" } else { "resposta a COMPRAR" };
    let estranhas = compras().filter_map(|compra| match &compra.resposta {
        Some((quando, Desfecho::Estranho(texto))) => Some((quando, texto)),
        _ => None,
    });
    if let Some((_, texto)) = estranhas.min_by_key(|(quando, _)| **quando) {
        return Err(format!("nenhuma {que} foi entendida; a primeira foi {}", citar(texto)));
    }
    let mut falhas = historias.iter().flat_map(|h| &h.falhas);
    Err(match em_duvida {
        0 if falhas.any(|(_, falha)| *falha == Falha::Fechada) => {
            "o servidor fechou a conexão antes de cada compra (a atividade a quer aberta, §5)"
                .into()
        }
        0 => "nenhum COMPRAR chegou a ser enviado".into(),
        1 => format!("nenhuma {que} chegou, e 1 COMPRAR ficou sem resposta"),
        n => format!("nenhuma {que} chegou, e {n} COMPRAR ficaram sem resposta"),
    })
}

fn reunir_leituras(historias: &[Historia]) -> Vec<Leitura> {
    let quantas = historias.iter().map(|historia| historia.operacoes.len()).sum();
    let mut leituras = Vec::with_capacity(quantas);
    for historia in historias {
        let usuario = historia.usuario;
        // Quase ninguém tem: depois de um, uma resposta pode ter atendido um pedido anterior.
        let desencontros: Vec<(u32, Duration)> =
            historia.presencas.iter().filter_map(|p| Some((p.numero, p.desencontro?))).collect();
        let desencontro = |conexao: u32| {
            let achado = desencontros.iter().find(|(numero, _)| *numero == conexao);
            achado.map_or(Duration::MAX, |(_, desde)| *desde)
        };
        let mut ditas = BTreeSet::new();
        for operacao in &historia.operacoes {
            let Some((fim, desfecho)) = &operacao.resposta else { continue };
            let (que, valor) = match desfecho {
                Desfecho::Leu(valor) => (Que::Consulta, *valor),
                Desfecho::Comprou(restante) => (Que::Venda, *restante),
                Desfecho::Recusado => (Que::Recusa, 0),
                // Sem um número que se leia com certeza, não diz onde o contador estava.
                Desfecho::LeuSemNumero | Desfecho::ComprouSemNumero => continue,
                Desfecho::Estranho(_) => continue,
            };
            // Depois de um desencontro, o mesmo número na mesma conexão pode ser a mesma resposta, repetida.
            let repetida = que == Que::Venda
                && desencontro(operacao.presenca) < Duration::MAX
                && !ditas.insert((operacao.presenca, valor));
            if repetida {
                continue;
            }
            let inicio = operacao.enviada.min(desencontro(operacao.presenca));
            leituras.push(Leitura { usuario, inicio, fim: *fim, que, valor });
        }
    }
    leituras
}

fn leituras_dos_avisos(historias: &[Historia]) -> impl Iterator<Item = Leitura> {
    historias.iter().flat_map(|historia| {
        let avisos = historia.presencas.iter().flat_map(|presenca| &presenca.avisos);
        avisos.map(|aviso| leitura_do_aviso(historia.usuario, *aviso))
    })
}

/// Ninguém pediu o AVISO: só se sabe que o estoque era zero quando ele chegou, ou antes.
fn leitura_do_aviso(usuario: usize, aviso: Duration) -> Leitura {
    Leitura { usuario, inicio: Duration::ZERO, fim: aviso, que: Que::Aviso, valor: 0 }
}

/// Quando partiram as compras que podem ter levado uma unidade sem que se saiba qual, em ordem: as que podem
/// ter valido ou não, e as vendas sem número.
fn sem_lugar(historias: &[Historia]) -> Vec<Duration> {
    let operacoes = historias.iter().flat_map(|historia| &historia.operacoes);
    let sem_numero = |o: &Operacao| matches!(o.resposta, Some((_, Desfecho::ComprouSemNumero)));
    let mut partidas: Vec<Duration> = operacoes
        .filter(|o| o.compra && (o.em_duvida() || sem_numero(o)))
        .map(|o| o.enviada)
        .collect();
    partidas.sort_unstable();
    partidas
}

/// Regra 1. Uma venda abaixo de zero é uma contradição; as consultas que depois leem o negativo são
/// só o eco dela, e contam apenas se a multidão não viu venda nenhuma assim.
fn negativas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let (vendas, consultas): (Vec<&Leitura>, Vec<&Leitura>) =
        leituras.iter().filter(|l| l.valor < 0).partition(|l| l.que == Que::Venda);
    let eco = consultas.into_iter().min_by_key(|l| l.fim).filter(|_| vendas.is_empty());
    // Quem levou a última unidade de verdade: é com ele que a venda a mais disputou.
    let ultima = ultima_venda(leituras);
    for leitura in vendas.into_iter().chain(eco) {
        let provas = std::iter::once(*leitura).chain(ultima.copied()).collect();
        violacoes.push(Violacao { regra: Regra::EstoqueNegativo, quando: leitura.fim, provas });
    }
}

fn ultima_venda(leituras: &[Leitura]) -> Option<&Leitura> {
    let ultimas = leituras.iter().filter(|l| l.que == Que::Venda && l.valor == 0);
    ultimas.min_by_key(|l| l.fim)
}

/// Regra 2.
fn vendas_repetidas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let mut vendas: Vec<&Leitura> = leituras.iter().filter(|l| l.que == Que::Venda).collect();
    vendas.sort_unstable_by_key(|venda| (venda.valor, venda.fim));
    for par in vendas.windows(2).filter(|par| par[0].valor == par[1].valor) {
        violacoes.push(Violacao {
            regra: Regra::VendaRepetida,
            quando: par[1].fim,
            provas: vec![*par[0], *par[1]],
        });
    }
}

/// Regra 3, em uma varredura: para cada leitura, a menor entre as que terminaram antes de ela
/// começar. Duas vendas da mesma unidade já foram contadas; e "esgotado" diz só que não há mais, e
/// por isso nunca vê demais.
fn subidas(leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let ve_o_numero = |leitura: &&Leitura| matches!(leitura.que, Que::Consulta | Que::Venda);
    let mut por_inicio: Vec<&Leitura> = leituras.iter().filter(ve_o_numero).collect();
    por_inicio.sort_unstable_by_key(|leitura| leitura.inicio);
    let mut por_fim: Vec<&Leitura> = leituras.iter().collect();
    por_fim.sort_unstable_by_key(|leitura| leitura.fim);
    let mut terminadas = por_fim.into_iter().peekable();
    let mut menor: Option<&Leitura> = None;
    for leitura in por_inicio {
        while let Some(terminada) = terminadas.next_if(|l| l.fim < leitura.inicio) {
            if menor.is_none_or(|menor| terminada.valor < menor.valor) {
                menor = Some(terminada);
            }
        }
        let Some(menor) = menor.filter(|menor| leitura.antes() > menor.valor) else { continue };
        if (leitura.que, leitura.valor) == (menor.que, menor.valor) && menor.que == Que::Venda {
            continue;
        }
        violacoes.push(Violacao {
            regra: Regra::EstoqueSubiu,
            quando: leitura.fim,
            provas: vec![*leitura, *menor],
        });
    }
}

/// Regra 4, a parte de cima. As leituras seguintes são o eco da primeira.
fn acima_do_inicial(leituras: &[Leitura], inicial: i128) -> Option<Violacao> {
    let acima = leituras.iter().filter(|l| l.antes() > inicial).min_by_key(|l| l.fim)?;
    let regra = Regra::AcimaDoInicial { inicial };
    Some(Violacao { regra, quando: acima.fim, provas: vec![*acima] })
}

/// Regra 4, quando há vendas sem número: as outras regras não as veem, mas contá-las se pode.
fn mais_que_havia(historias: &[Historia], inicial: i128) -> Option<Violacao> {
    let mut vendas = Vec::new();
    let mut sem_numero = false;
    for historia in historias {
        // Depois de um desencontro, uma venda sem número pode ser a resposta anterior, dita de novo.
        let desencontrada = |conexao: u32| {
            historia.presencas.iter().any(|p| p.numero == conexao && p.desencontro.is_some())
        };
        for operacao in historia.operacoes.iter().filter(|o| !desencontrada(o.presenca)) {
            let Some((fim, desfecho)) = &operacao.resposta else { continue };
            let (que, valor) = match desfecho {
                Desfecho::Comprou(restante) => (Que::Venda, *restante),
                Desfecho::ComprouSemNumero => (Que::VendaSemNumero, 0),
                _ => continue,
            };
            sem_numero |= que == Que::VendaSemNumero;
            let (usuario, inicio) = (historia.usuario, operacao.enviada);
            vendas.push(Leitura { usuario, inicio, fim: *fim, que, valor });
        }
    }
    vendas.sort_by_key(|venda| venda.fim);
    let a_mais = usize::try_from(inicial).ok().and_then(|cabem| vendas.get(cabem))?;
    let regra = Regra::VendeuDemais { inicial, vendas: vendas.len() as i128 };
    sem_numero.then(|| Violacao { regra, quando: a_mais.fim, provas: vec![*a_mais] })
}

/// Regra 4, a parte de baixo. As unidades saem em ordem, e por isso a primeira sem dono é a que tem
/// menos tempo para ter sido vendida: até a primeira leitura que já não a vê. Se cada uma, nessa
/// ordem, tiver um pedido sem resposta que partiu a tempo, está explicada; a primeira que não tem é a
/// contradição. O laço gasta um pedido por volta, e por isso um estoque imenso não o prende.
fn sumidas(leituras: &[Leitura], partidas: Vec<Duration>, inicial: i128) -> Option<Violacao> {
    let testemunhas = Testemunhas::reunir(leituras);
    let chao = leituras.iter().map(|l| l.valor).min()?.max(0);
    let vendas = leituras.iter().filter(|l| l.que == Que::Venda);
    let vendidas: BTreeSet<i128> =
        vendas.clone().map(|l| l.valor).filter(|v| (chao..inicial).contains(v)).collect();
    let sem_dono = inicial.saturating_sub(chao).saturating_sub(vendidas.len() as i128);
    let quantas = sem_dono.saturating_sub(partidas.len() as i128).max(1);
    let mut partidas = partidas.into_iter();
    let mut acima = inicial;
    for abaixo in vendidas.into_iter().rev().chain([chao - 1]) {
        for restaria in (abaixo + 1..acima).rev() {
            let testemunha = testemunhas.de(restaria)?;
            if partidas.next().is_some_and(|partida| partida <= testemunha.fim) {
                continue;
            }
            let regra = match testemunha.que {
                Que::Recusa => Regra::RecusaIndevida { restaria, quantas },
                _ => Regra::UnidadeSumiu { restaria, quantas },
            };
            let anterior = vendas.clone().find(|l| l.valor == acima);
            let provas = [Some(testemunha), anterior].into_iter().flatten().copied().collect();
            return Some(Violacao { regra, quando: testemunha.fim, provas });
        }
        acima = abaixo;
    }
    None
}

/// Para cada valor, a primeira leitura a terminar vendo isso ou menos.
struct Testemunhas<'a>(Vec<(i128, &'a Leitura)>);

impl<'a> Testemunhas<'a> {
    fn reunir(leituras: &'a [Leitura]) -> Self {
        let mut por_valor: Vec<&Leitura> = leituras.iter().collect();
        por_valor.sort_unstable_by_key(|l| (l.valor, l.fim));
        let mut primeira: Option<&Leitura> = None;
        let acumular = |leitura: &'a Leitura| {
            let ate_aqui = primeira.filter(|p| p.fim <= leitura.fim).unwrap_or(leitura);
            primeira = Some(ate_aqui);
            (leitura.valor, ate_aqui)
        };
        Testemunhas(por_valor.into_iter().map(acumular).collect())
    }

    fn de(&self, valor: i128) -> Option<&'a Leitura> {
        let quantas = self.0.partition_point(|(outro, _)| *outro <= valor);
        Some(self.0.get(quantas.checked_sub(1)?)?.1)
    }
}

/// Regra 4, vista pelo AVISO: quem o ouviu com o que vender não diz que uma unidade sumiu, e sim que ele
/// saiu antes da hora.
fn aviso_com_o_que_vender(sumida: Violacao) -> Violacao {
    let provas = sumida.provas.into_iter().take(1).collect();
    Violacao { regra: Regra::AvisoAdiantado, provas, ..sumida }
}

/// Regra 5.
fn avisos(
    historias: &[Historia],
    leituras: &[Leitura],
    esgotamento: Option<&Esgotamento>,
    violacoes: &mut Vec<Violacao>,
) {
    // Quem viu, por último, que ainda havia: um AVISO que chegou antes de ele pedir mentiu.
    let havia = leituras.iter().filter(|l| l.antes() > 0).max_by_key(|l| l.inicio);
    let limite = esgotamento.map(|esgotamento| esgotamento.limite(historias));
    for historia in historias {
        let usuario = historia.usuario;
        for presenca in &historia.presencas {
            violacoes.extend(aviso_repetido(usuario, presenca));
            violacoes.extend(havia.and_then(|havia| aviso_adiantado(usuario, presenca, havia)));
            let Some((esgotamento, limite)) = esgotamento.zip(limite) else { continue };
            violacoes.extend(esgotamento.a_quem_chegou_depois(usuario, presenca));
            violacoes.extend(esgotamento.aviso_perdido(usuario, presenca, limite));
        }
    }
    violacoes.extend(esgotamento.and_then(|esgotamento| esgotamento.aviso_atrasado(historias)));
}

fn aviso_repetido(usuario: usize, presenca: &Presenca) -> Option<Violacao> {
    let [primeiro, segundo, ..] = presenca.avisos[..] else { return None };
    Some(Violacao {
        regra: Regra::AvisoRepetido,
        quando: segundo,
        provas: [primeiro, segundo].map(|aviso| leitura_do_aviso(usuario, aviso)).into(),
    })
}

fn aviso_adiantado(usuario: usize, presenca: &Presenca, havia: &Leitura) -> Option<Violacao> {
    let aviso = *presenca.avisos.first()?;
    (aviso < havia.inicio).then(|| Violacao {
        regra: Regra::AvisoAdiantado,
        quando: havia.fim,
        provas: vec![leitura_do_aviso(usuario, aviso), *havia],
    })
}

/// Quando o estoque chegou a zero: depois de um instante, se se sabe, e antes do fim de uma leitura.
struct Esgotamento {
    /// A última venda; ou, se a multidão não a viu (de outro comprador, ou de um pedido sem resposta), a
    /// primeira leitura de zero a terminar.
    ate: Leitura,
    /// Ainda havia o que vender. Sem ninguém que tenha visto uma unidade, pode nem ter havido
    /// esgotamento: o estoque já estava vazio.
    depois_de: Option<Duration>,
}

impl Esgotamento {
    fn de(leituras: &[Leitura]) -> Option<Self> {
        let primeiro_zero = || leituras.iter().filter(|l| l.valor == 0).min_by_key(|l| l.fim);
        let ate = *ultima_venda(leituras).or_else(primeiro_zero)?;
        let ultima = || leituras.iter().filter(|l| l.valor > 0).map(|l| l.inicio).max();
        let depois_de = match ate.que {
            Que::Venda => Some(ate.inicio),
            _ => ultima().map(|ultima| ultima.min(ate.fim)),
        };
        Some(Esgotamento { ate, depois_de })
    }

    /// O servidor certamente conhecia esta conexão (ela já tinha ouvido uma resposta) antes do
    /// esgotamento: o AVISO é devido a ela, se ela ficou para ouvi-lo.
    fn deve_a(&self, presenca: &Presenca) -> bool {
        let Some(depois_de) = self.depois_de else { return false };
        presenca.respondida.is_some_and(|quando| quando < depois_de)
    }

    /// Quando cada conexão a que ele é devido o ouviu, se ouviu.
    fn chegadas<'a>(
        &'a self,
        historias: &'a [Historia],
    ) -> impl Iterator<Item = (usize, Duration)> {
        historias.iter().flat_map(|historia| {
            let devidas = historia.presencas.iter().filter(|presenca| self.deve_a(presenca));
            devidas.filter_map(|p| Some((historia.usuario, *p.avisos.first()?)))
        })
    }

    /// Quem ficou até depois deste instante, e nada ouviu, perdeu o AVISO. Se a alguém ele demorou a
    /// chegar, o dos outros também podia estar a caminho; mas não para sempre.
    fn limite(&self, historias: &[Historia]) -> Duration {
        let demorou = |quando| quando > self.ate.fim + TOLERANCIA_DO_AVISO;
        let demora = self.chegadas(historias).any(|(_, quando)| demorou(quando));
        self.ate.fim + if demora { ESPERA_DO_AVISO } else { TOLERANCIA_DO_AVISO }
    }

    /// Se o primeiro a chegar já passou da tolerância, é o servidor que demorou. Se só outros passaram,
    /// podem ser as milhares de threads da multidão a disputar o processador: isso só se observa, a não
    /// ser que passem também da espera.
    fn aviso_atrasado(&self, historias: &[Historia]) -> Option<Violacao> {
        let depois = |(_, chegou): (usize, Duration)| chegou.saturating_sub(self.ate.fim);
        let avisos = leituras_dos_avisos(historias).map(|aviso| (aviso.usuario, aviso.fim));
        let primeira = avisos.min_by_key(|(_, quando)| *quando)?;
        let ultima = self.chegadas(historias).max_by_key(|(_, quando)| *quando)?;
        let (usuario, chegou) = match () {
            () if depois(primeira) > TOLERANCIA_DO_AVISO => primeira,
            () if depois(ultima) > ESPERA_DO_AVISO => ultima,
            () => return None,
        };
        let depois = depois((usuario, chegou));
        Some(Violacao {
            regra: Regra::AvisoAtrasado { depois },
            quando: chegou,
            provas: vec![leitura_do_aviso(usuario, chegou), self.ate],
        })
    }

    fn espalhou_devagar(&self, historias: &[Historia]) -> Option<String> {
        let ultima = self.chegadas(historias).map(|(_, quando)| quando).max()?;
        let demorou = ultima.saturating_sub(self.ate.fim);
        (demorou > TOLERANCIA_DO_AVISO && self.aviso_atrasado(historias).is_none())
            .then(|| format!("o AVISO levou {} para chegar a todos", formatar(demorou)))
    }

    /// Quem pediu a conexão enquanto o AVISO saía pode tê-lo pego; quem a pediu bem depois, não.
    fn a_quem_chegou_depois(&self, usuario: usize, presenca: &Presenca) -> Option<Violacao> {
        let aviso = presenca.avisos.first()?;
        (presenca.pediu > self.ate.fim + TOLERANCIA_DO_AVISO).then(|| Violacao {
            regra: Regra::AvisoAQuemChegouDepois,
            quando: *aviso,
            provas: vec![leitura_do_aviso(usuario, *aviso), self.ate],
        })
    }

    /// Quem o merecia e ficou conectado tempo de sobra devia ter ouvido.
    fn aviso_perdido(
        &self,
        usuario: usize,
        presenca: &Presenca,
        limite: Duration,
    ) -> Option<Violacao> {
        let ficou = presenca.fechou.is_none_or(|fechou| fechou > limite);
        (self.deve_a(presenca) && ficou && presenca.avisos.is_empty() && !self.duvidoso(presenca))
            .then(|| {
                let (inicio, fim) = (presenca.conectou, presenca.fechou.unwrap_or(limite));
                let calado = Leitura { usuario, inicio, fim, que: Que::Silencio, valor: 0 };
                Violacao {
                    regra: Regra::AvisoPerdido,
                    quando: limite,
                    provas: vec![calado, self.ate],
                }
            })
    }

    /// Ouviu algo na hora certa, em palavras que não se reconhecem: na dúvida, vale.
    fn duvidoso(&self, presenca: &Presenca) -> bool {
        let depois_de = self.depois_de.unwrap_or_default();
        presenca.outros_avisos.iter().any(|aviso| *aviso >= depois_de)
    }
}

/// Quantas conexões ouviram o AVISO; ou por que não se pode dizer nada dele, se ninguém o ouviu.
fn ouvintes(
    historias: &[Historia],
    leituras: &[Leitura],
    esgotamento: Option<&Esgotamento>,
) -> Result<usize, String> {
    let presencas = || historias.iter().flat_map(|historia| &historia.presencas);
    let ouviram = presencas().filter(|presenca| !presenca.avisos.is_empty()).count();
    if ouviram > 0 {
        return Ok(ouviram);
    }
    let Some(esgotamento) = esgotamento else {
        let leu = leituras.iter().any(|l| matches!(l.que, Que::Consulta | Que::Venda));
        let porque = if leu { "o estoque não chegou a esgotar" } else { "não se viu o estoque" };
        return Err(porque.into());
    };
    if presencas().any(|presenca| esgotamento.duvidoso(presenca)) {
        return Err("chegou algo em outras palavras, que não se reconhecem".into());
    }
    if esgotamento.depois_de.is_none() {
        return Err("o estoque já estava esgotado quando a multidão chegou".into());
    }
    Err(format!(
        "ninguém que já conversava com o servidor ficou conectado por {} depois do esgotamento",
        formatar(TOLERANCIA_DO_AVISO)
    ))
}

fn observar(historias: &[Historia], leituras: &[Leitura], sozinha: bool) -> Vec<String> {
    let mut observacoes = Vec::new();
    observacoes.extend(compras_em_duvida(historias));
    let vendas: BTreeSet<i128> =
        leituras.iter().filter(|l| l.que == Que::Venda).map(|l| l.valor).collect();
    let maior = leituras.iter().map(Leitura::antes).max().unwrap_or(0);
    let menor = leituras.iter().map(|l| l.valor).min().unwrap_or(0);
    let por_fora =
        usize::try_from(maior.saturating_sub(menor)).unwrap_or(0).saturating_sub(vendas.len());
    // Se ela compra sozinha, isso já é contradição, ou está nas compras sem resposta.
    if por_fora > 0 && !sozinha {
        let unidades = contar(por_fora, "unidade", "unidades");
        let recusou = leituras.iter().any(|l| l.que == Que::Recusa);
        let ou = if recusou { ", ou o servidor recusou com estoque" } else { "" };
        observacoes.push(format!(
            "{unidades} sem comprador conhecido: outros as compraram, as respostas se perderam{ou} \
             (se só esta multidão compra, diga --estoque, e ela poderá afirmar)"
        ));
    }
    if vendas.is_empty() && maior == 0 && !leituras.is_empty() {
        observacoes.push("o estoque já estava esgotado quando a multidão chegou".into());
    }
    observacoes
}

/// As respostas que foram a quem não as pediu, ou que vieram mais de uma vez. Não contradizem o estoque, e
/// por isso só se observam. Que uma chegou sem pedido não basta: pode ser uma saudação que atrasou as
/// outras; mas se ao mesmo tempo quem pediu ficou sem, foram à conexão errada.
pub fn extravios(simulacao: &Simulacao) -> Option<String> {
    let Simulacao { historias, medidas, .. } = simulacao;
    let somar = |conta: fn(&Historia) -> u64| historias.iter().map(conta).sum::<u64>() as usize;
    let (repetidas, nao_pedidas) = (somar(|h| h.repetidas), somar(|h| h.nao_pedidas));
    let de_outro = repetidas + nao_pedidas + medidas.trocadas as usize;
    let falhas = historias.iter().flat_map(|historia| &historia.falhas);
    let sem_resposta = falhas.filter(|(_, falha)| *falha == Falha::SemResposta).count();
    if de_outro > 0 && sem_resposta > 0 {
        return Some(format!(
            "as respostas se extraviam: {} a quem não as pediu, e {} sem resposta",
            contar(de_outro, "chegou", "chegaram"),
            contar(sem_resposta, "pedido ficou", "pedidos ficaram")
        ));
    }
    (repetidas > 0).then(|| {
        let respostas = contar(repetidas, "resposta veio", "respostas vieram");
        format!("{respostas} de novo, sem outro pedido: o servidor responde duas vezes ao mesmo")
    })
}

fn compras_em_duvida(historias: &[Historia]) -> Option<String> {
    let compras = || historias.iter().flat_map(|h| &h.operacoes).filter(|o| o.compra);
    let caladas = compras().filter(|compra| compra.resposta.is_none()).count();
    let estranhas = compras().filter(|compra| compra.em_duvida()).count() - caladas;
    let compras = match (caladas, estranhas) {
        (0, 0) => return None,
        (_, 0) => contar(caladas, "compra sem resposta", "compras sem resposta"),
        (0, _) => contar(estranhas, "compra respondida", "compras respondidas") + " de outro modo",
        _ => format!(
            "{} e {estranhas} de outro modo",
            contar(caladas, "compra sem resposta", "compras sem resposta")
        ),
    };
    Some(format!("{compras}: cada uma pode ter sido feita ou não"))
}

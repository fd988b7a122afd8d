//! A auditoria: o servidor vendeu direito? Uma função pura sobre as histórias.
//!
//! Um estoque certo só desce, uma unidade por vez, e cada unidade tem um só comprador. Toda resposta
//! é uma *leitura* desse contador em algum instante entre o envio do pedido e a chegada da resposta:
//! CONSULTAR lê o que há, uma venda lê o que restou, "esgotado" e AVISO leem zero. Daí as regras:
//!
//! 1. nenhuma leitura é negativa;
//! 2. duas vendas nunca leem o mesmo restante: seria a mesma unidade vendida duas vezes;
//! 3. se uma leitura terminou antes de outra começar, a segunda não pode ver mais que a primeira
//!    (uma venda, nem o mesmo): o contador teria subido;
//! 4. se só a multidão compra e se sabe com quanto o servidor abriu, ninguém lê mais que isso e
//!    nenhuma unidade some: o que o contador desceu, alguém aqui comprou, ou pode ter comprado em um
//!    pedido que ficou sem resposta. Recusar com uma unidade por vender é o mesmo que sumir com ela. E não
//!    há mais vendas do que unidades, ainda que nem todas digam quanto restou;
//! 5. o AVISO chega uma vez, e só uma, a cada conexão que estava aberta no esgotamento (§7.3), e não
//!    a quem conectou depois. A ordem entre ele e a resposta do comprador não é conferida: o
//!    enunciado não a pede.
//!
//! As três primeiras são a linearizabilidade inteira, porque o contador só desce: o valor de cada
//! leitura já diz o lugar dela na única ordem possível (a venda que deixou v, as leituras de v, a
//! venda que deixou v-1...). Uma ordem assim cabe nos intervalos se, e só se, nenhuma operação que a
//! ordem põe antes começou depois de terminar uma que ela põe depois; e isso é a regra 3. Uma venda
//! que a multidão não viu não tem intervalo, e por isso não muda a conta. A regra 4 acrescenta as
//! vendas sem dono: cada uma precisa de um pedido sem resposta que tenha partido a tempo.
//!
//! O que a multidão não pode afirmar fica como observação, não como acusação: sem saber que compra
//! sozinha, uma unidade que ninguém aqui comprou pode ter ido a outro comprador.

use std::collections::BTreeSet;
use std::time::Duration;

use protocolo::terminal::contar;

use crate::historia::{Desfecho, Historia, Operacao, Presenca};
use crate::parecer::{Leitura, Parecer, Que, Regra, Violacao};

/// Quem continuou conectado por este tempo depois do esgotamento deveria ter ouvido o AVISO. É
/// folgado de propósito: o AVISO leva milissegundos, e uma acusação falsa é pior que um atraso.
pub const TOLERANCIA_DO_AVISO: Duration = Duration::from_secs(1);

/// Confere as histórias de uma simulação. `estoque` é com quantas unidades o servidor abriu, se
/// ninguém mais comprou delas; sem isso, a regra 4 não se afirma.
pub fn auditar(historias: &[Historia], estoque: Option<u64>) -> Parecer {
    let leituras = reunir_leituras(historias);
    let mut violacoes = Vec::new();
    negativas(&leituras, &mut violacoes);
    vendas_repetidas(&leituras, &mut violacoes);
    subidas(&leituras, &mut violacoes);
    if let Some(inicial) = estoque.map(i128::from) {
        violacoes.extend(acima_do_inicial(&leituras, inicial));
        violacoes.extend(sumidas(&leituras, sem_lugar(historias), inicial));
        violacoes.extend(mais_que_havia(historias, inicial));
    }
    avisos(historias, &leituras, &mut violacoes);
    // Estável: no mesmo instante, na ordem das regras.
    violacoes.sort_by_key(|violacao| violacao.quando);
    Parecer { violacoes, observacoes: observar(historias, &leituras, estoque.is_some()) }
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
        let avisos = historia.presencas.iter().flat_map(|presenca| &presenca.avisos);
        leituras.extend(avisos.map(|aviso| leitura_do_aviso(usuario, *aviso)));
    }
    leituras
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
        for operacao in &historia.operacoes {
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

/// Regra 5.
fn avisos(historias: &[Historia], leituras: &[Leitura], violacoes: &mut Vec<Violacao>) {
    let ate = ultima_venda(leituras).or_else(|| primeiro_zero(leituras));
    let depois_de = ate.and_then(|ate| ainda_havia(leituras, ate));
    for historia in historias {
        for presenca in &historia.presencas {
            violacoes.extend(aviso_repetido(historia.usuario, presenca));
            let Some(ate) = ate else { continue };
            violacoes.extend(aviso_atrasado(historia.usuario, presenca, ate));
            let Some(depois_de) = depois_de else { continue };
            violacoes.extend(aviso_perdido(historia.usuario, presenca, depois_de, ate));
        }
    }
}

/// Se a multidão não viu a última venda (de outro comprador, ou de um pedido sem resposta), o
/// esgotamento foi antes de terminar a primeira leitura de zero.
fn primeiro_zero(leituras: &[Leitura]) -> Option<&Leitura> {
    leituras.iter().filter(|l| l.valor == 0).min_by_key(|l| l.fim)
}

/// O esgotamento que `ate` testemunha foi depois deste instante. Sem ninguém que tenha visto uma
/// unidade, pode nem ter havido: o estoque já estava vazio.
fn ainda_havia(leituras: &[Leitura], ate: &Leitura) -> Option<Duration> {
    if ate.que == Que::Venda {
        return Some(ate.inicio);
    }
    let ultima = leituras.iter().filter(|l| l.valor > 0).map(|l| l.inicio).max()?;
    Some(ultima.min(ate.fim))
}

fn aviso_repetido(usuario: usize, presenca: &Presenca) -> Option<Violacao> {
    let [primeiro, segundo, ..] = presenca.avisos[..] else { return None };
    Some(Violacao {
        regra: Regra::AvisoRepetido,
        quando: segundo,
        provas: [primeiro, segundo].map(|aviso| leitura_do_aviso(usuario, aviso)).into(),
    })
}

/// Quem pediu a conexão enquanto o AVISO saía pode tê-lo pego; quem a pediu bem depois, não.
fn aviso_atrasado(usuario: usize, presenca: &Presenca, ate: &Leitura) -> Option<Violacao> {
    let aviso = presenca.avisos.first()?;
    (presenca.pediu > ate.fim + TOLERANCIA_DO_AVISO).then(|| Violacao {
        regra: Regra::AvisoAtrasado,
        quando: *aviso,
        provas: vec![leitura_do_aviso(usuario, *aviso), *ate],
    })
}

/// Quem certamente estava na lista do servidor (já tinha ouvido uma resposta) antes do esgotamento,
/// e ficou conectado tempo de sobra depois dele, devia ter ouvido.
fn aviso_perdido(
    usuario: usize,
    presenca: &Presenca,
    depois_de: Duration,
    ate: &Leitura,
) -> Option<Violacao> {
    let limite = ate.fim + TOLERANCIA_DO_AVISO;
    let devia = presenca.respondida.is_some_and(|quando| quando < depois_de)
        && presenca.fechou.is_none_or(|fechou| fechou > limite)
        // Ouviu algo na hora certa, em palavras que não se reconhecem: na dúvida, vale.
        && presenca.outros_avisos.iter().all(|aviso| *aviso < depois_de);
    (devia && presenca.avisos.is_empty()).then(|| {
        let (inicio, fim) = (presenca.conectou, presenca.fechou.unwrap_or(limite));
        let calado = Leitura { usuario, inicio, fim, que: Que::Silencio, valor: 0 };
        Violacao { regra: Regra::AvisoPerdido, quando: limite, provas: vec![calado, *ate] }
    })
}

fn observar(historias: &[Historia], leituras: &[Leitura], sozinha: bool) -> Vec<String> {
    let mut observacoes = Vec::new();
    let operacoes = historias.iter().flat_map(|historia| &historia.operacoes);
    let sem_resposta = operacoes.filter(|o| o.compra && o.em_duvida()).count();
    if sem_resposta > 0 {
        let compras = contar(sem_resposta, "compra sem resposta", "compras sem resposta");
        observacoes.push(format!("{compras}: cada uma pode ter sido feita ou não"));
    }
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

//! Um número como um desconhecido o escreve: `10`, `-1`, `1.010`, `**10**`, `10 (02:07)`, e até colado
//! à hora da mensagem seguinte (`3[14:05:09] AVISO`).
//!
//! Lê o número no lugar em que a frase o põe, e só quando há uma leitura possível: `314:05:09` pode
//! ser 3 às 14:05:09 ou 31 às 4:05:09, e a resposta então é [`Numero::Incerto`]. Não sabe que frase é.

/// O que se leu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numero {
    /// Uma só leitura possível.
    Certo {
        /// O valor.
        valor: i128,
        /// Onde ele termina, em bytes desde o começo do texto lido.
        fim: usize,
    },
    /// Há algarismos, e mais de uma leitura possível.
    Incerto,
    /// Não há número.
    Ausente,
}

/// Lê o número que vem depois de um rótulo: em `Estoque atual: 10`, `texto` é `: 10`.
///
/// Vale, nesta ordem: o que vem logo depois, com só pontuação no meio; o que vem logo depois do primeiro
/// dois-pontos ou sinal de igual; o único que houver. Uma hora entre parênteses ou colchetes não conta.
pub fn ler(texto: &str) -> Numero {
    let inicios: Vec<usize> = inicios_de_numeros(texto).collect();
    let Some(primeiro) = inicios.first() else { return Numero::Ausente };
    if sem_letras(&texto[..*primeiro]) {
        return ler_em(texto, *primeiro);
    }
    let depois_do_sinal = inicios.iter().find(|inicio| {
        let antes = texto[..**inicio].trim_end_matches(|letra: char| !e_letra(letra));
        texto[antes.len()..**inicio].contains([':', '='])
    });
    match (depois_do_sinal, inicios.as_slice()) {
        (Some(inicio), _) | (None, [inicio]) => ler_em(texto, *inicio),
        _ => Numero::Incerto,
    }
}

/// O texto sem as horas e as datas: o que sobra de algarismos é quantidade.
pub fn sem_horas(texto: &str) -> String {
    let e_de_hora = |letra: char| letra.is_ascii_digit() || ":/-.".contains(letra);
    let limpar = |pedaco: &str| {
        let miolo = pedaco.trim_matches(|letra: char| !letra.is_ascii_digit());
        let separadores = |sinal: &[char]| miolo.matches(sinal).count();
        let hora = separadores(&[':']) > 0 || separadores(&['/', '-', '.']) > 1;
        if hora { pedaco.replacen(miolo, "", 1) } else { pedaco.to_owned() }
    };
    texto.split_inclusive(|letra: char| !e_de_hora(letra)).map(limpar).collect()
}

fn e_letra(letra: char) -> bool {
    letra.is_alphanumeric()
}

/// Só pontuação e espaços, contados também os de uma hora já pulada.
fn sem_letras(texto: &str) -> bool {
    !texto.chars().any(char::is_alphabetic)
}

/// Onde começa cada sequência de algarismos que pode ser o número: fora das horas entre sinais.
fn inicios_de_numeros(texto: &str) -> impl Iterator<Item = usize> + '_ {
    let mut de = 0;
    std::iter::from_fn(move || {
        loop {
            let inicio = de + texto[de..].find(|letra: char| letra.is_ascii_digit())?;
            de = inicio + com_as_casas(&texto[inicio..]);
            match hora_entre_sinais(&texto[..inicio], &texto[inicio..]) {
                Some(tamanho) => de = inicio + tamanho,
                None => return Some(inicio),
            }
        }
    })
}

/// O tamanho de um número com os seus separadores: `1.010` é um só.
fn com_as_casas(texto: &str) -> usize {
    let mut fim = algarismos(texto);
    while texto[fim..].starts_with(['.', ',']) && algarismos(&texto[fim + 1..]) > 0 {
        fim += 1 + algarismos(&texto[fim + 1..]);
    }
    fim
}

/// Quantos algarismos há no começo.
fn algarismos(texto: &str) -> usize {
    texto.bytes().take_while(u8::is_ascii_digit).count()
}

/// `(14:05:09)` ou `[2026-11-26 14:05]`: quantos bytes de hora, se é uma.
fn hora_entre_sinais(antes: &str, texto: &str) -> Option<usize> {
    if !antes.ends_with(['(', '[', '{']) {
        return None;
    }
    let fim = texto.find([')', ']', '}'])?;
    let dentro = &texto[..fim];
    (sem_horas(dentro).bytes().all(|byte| !byte.is_ascii_digit())).then_some(fim)
}

/// Lê o número que começa aqui.
fn ler_em(texto: &str, inicio: usize) -> Numero {
    let quantos = algarismos(&texto[inicio..]);
    let digitos = &texto[inicio..inicio + quantos];
    let resto = &texto[inicio + quantos..];
    let sinal = match sinal(&texto[..inicio]) {
        Some(sinal) => sinal,
        None => return Numero::Incerto,
    };
    let certo = |digitos: &str, fim: usize| match digitos.parse::<i128>() {
        Ok(valor) => Numero::Certo { valor: sinal * valor, fim },
        Err(_) => Numero::Incerto,
    };
    let colados = antes_de_hora_ou_data(digitos, resto);
    match colados.as_deref() {
        // O que vem depois é uma hora ou uma data: parte dos algarismos é dela.
        Some([unico]) => return certo(unico, inicio + unico.len()),
        Some(_) => return Numero::Incerto,
        None => {}
    }
    match depois_do_separador(digitos, resto) {
        Casa::Milhar(tamanho) => {
            let inteiro: String =
                texto[inicio..inicio + quantos + tamanho].matches(char::is_numeric).collect();
            certo(&inteiro, inicio + quantos + tamanho)
        }
        Casa::Nada(tamanho) => certo(digitos, inicio + quantos + tamanho),
        Casa::Duvida => Numero::Incerto,
    }
}

/// O sinal, pelo que vem antes dos algarismos; `None` se não se sabe se o traço é sinal ou separador.
fn sinal(antes: &str) -> Option<i128> {
    let Some(antes) = ["-", "−"].iter().find_map(|traco| antes.strip_suffix(traco)) else {
        return Some(1);
    };
    (!antes.ends_with(e_letra)).then_some(-1)
}

/// O que vem depois dos algarismos.
enum Casa {
    /// Grupos de milhar, com tantos bytes.
    Milhar(usize),
    /// Nada que seja do número, a não ser tantos bytes de casas decimais zeradas.
    Nada(usize),
    /// Não se sabe.
    Duvida,
}

fn depois_do_separador(digitos: &str, resto: &str) -> Casa {
    // Um número destes, seguido de texto, pode trazer colado o tempo desde 1970 da mensagem seguinte.
    if digitos.len() > 10 && resto.contains(char::is_alphabetic) {
        return Casa::Duvida;
    }
    let Some(separador) = resto.chars().next().filter(|s| ".,'\u{a0}\u{202f}".contains(*s)) else {
        return Casa::Nada(0);
    };
    let depois = &resto[separador.len_utf8()..];
    let casas = algarismos(depois);
    if casas == 0 || comeca_com_hora_ou_data(depois) {
        return Casa::Nada(0);
    }
    if casas < 3 && depois[..casas].bytes().all(|b| b == b'0') {
        return Casa::Nada(separador.len_utf8() + casas);
    }
    let mut tamanho = 0;
    while let Some(grupo) = resto[tamanho..].strip_prefix(separador) {
        match algarismos(grupo) {
            3 => tamanho += separador.len_utf8() + 3,
            0 => break,
            _ => return Casa::Duvida,
        }
    }
    if digitos.len() <= 3 && !digitos.starts_with('0') {
        Casa::Milhar(tamanho)
    } else {
        Casa::Duvida
    }
}

/// O texto começa com uma hora ou uma data completas?
fn comeca_com_hora_ou_data(texto: &str) -> bool {
    let quantos = algarismos(texto);
    let (digitos, resto) = texto.split_at(quantos);
    (quantos <= 2 && hora(digitos, resto))
        || data(resto)
            .is_some_and(|ano_no_fim| if ano_no_fim { quantos <= 2 } else { quantos == 4 })
}

/// Se o que vem depois destes algarismos é o resto de uma hora ou de uma data, o que pode sobrar para o
/// número; `None` se não é.
fn antes_de_hora_ou_data<'a>(digitos: &'a str, resto: &str) -> Option<Vec<&'a str>> {
    let sobra = |da_hora: usize, vale: &dyn Fn(&str) -> bool| {
        let quantos = digitos.len().checked_sub(da_hora).filter(|quantos| *quantos > 0)?;
        let (numero, hora) = digitos.split_at(quantos);
        let escrito = numero == "0" || !numero.starts_with('0');
        (escrito && vale(hora)).then_some(numero)
    };
    let candidatos = |tamanhos: &[usize], vale: &dyn Fn(&str) -> bool| -> Vec<&'a str> {
        tamanhos.iter().filter_map(|tamanho| sobra(*tamanho, vale)).collect()
    };
    if resto.starts_with(':') && hora("0", resto) {
        // Sozinha, é a hora inteira: o número falta.
        let inteira = digitos.len() <= 2 && ate(digitos, 23);
        return Some(if inteira { Vec::new() } else { candidatos(&[1, 2], &|hora| ate(hora, 23)) });
    }
    let dia = |dia: &str| ate(dia, 31) && dia != "0" && dia != "00";
    match data(resto)? {
        true => Some(candidatos(&[1, 2], &dia)),
        false => {
            let ano = |ano: &str| ano.starts_with("19") || ano.starts_with("20");
            let mut todos = candidatos(&[4], &ano);
            // Com o ano em dois algarismos, o dia pode vir antes.
            if !resto.starts_with('-') {
                todos.extend(candidatos(&[1, 2], &dia));
            }
            Some(todos)
        }
    }
}

fn ate(digitos: &str, maximo: u32) -> bool {
    digitos.parse::<u32>().is_ok_and(|valor| valor <= maximo)
}

/// `14` e `:05...` são uma hora?
fn hora(horas: &str, resto: &str) -> bool {
    let Some(minutos) = resto.strip_prefix(':') else { return false };
    algarismos(minutos) == 2 && ate(horas, 23) && ate(&minutos[..2], 59)
}

/// `-11-26`, `/11/2026`: o resto de uma data? `Some(true)`, se o ano vem no fim.
fn data(resto: &str) -> Option<bool> {
    let separador = resto.chars().next().filter(|s| "-/.".contains(*s))?;
    let meio = &resto[1..];
    let mes = algarismos(meio);
    if !(1..=2).contains(&mes) || !ate(&meio[..mes], 12) {
        return None;
    }
    let fim = meio[mes..].strip_prefix(separador)?;
    match algarismos(fim) {
        1 | 2 => Some(false),
        4 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    fn valor(texto: &str) -> Option<i128> {
        match ler(texto) {
            Numero::Certo { valor, .. } => Some(valor),
            Numero::Incerto | Numero::Ausente => None,
        }
    }

    #[test]
    fn o_numero_e_o_que_a_frase_poe_ali_e_o_resto_e_enfeite() {
        for (texto, esperado) in [
            (": 10", 10),
            (" = -3", -3),
            (": −3", -3),
            (" - 9", 9),
            (":-1.", -1),
            (": **10**", 10),
            (": [10]", 10),
            (": \"10\"", 10),
            (": 10 (02:07)", 10),
            (" (14:05:09): 10", 10),
            (" [2026-11-26 14:05:09] 7", 7),
            (": 10 unidades às 14:05", 10),
            (": 9/10", 9),
            (": 9 de 10", 9),
            (" de produtos: 10", 10),
            (" depois da venda 7: 3", 3),
            (" no caixa 2 = 10", 10),
            (" agora 4", 4),
            (": 18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(valor(texto), Some(esperado), "{texto}");
        }
    }

    #[test]
    fn milhares_e_casas_zeradas_sao_do_numero() {
        for (texto, esperado) in [
            (": 1.010", 1010),
            (": 1,010", 1010),
            (": 1.234.567!", 1_234_567),
            (": -1.010", -1010),
            (": 9.0", 9),
            (": 9,00", 9),
            (": 9.", 9),
            (": 9. Obrigado", 9),
        ] {
            assert_eq!(valor(texto), Some(esperado), "{texto}");
        }
        for duvida in [": 9.5", ": 1.0101", ": 0.123", ": 1234.567"] {
            assert_eq!(ler(duvida), Numero::Incerto, "{duvida}");
        }
    }

    #[test]
    fn a_hora_colada_nao_e_do_numero() {
        for (texto, esperado) in [
            (": 3[14:05:09] AVISO", 3),
            (": 3(14:05) AVISO", 3),
            (": 3 14:05:09 AVISO", 3),
            (": 014:05:09 AVISO", 0),
            (": 9.14:05:09 AVISO", 9),
            (": 02026-11-26 14:05:09 AVISO", 0),
            (": 32026-11-26T14:05:09 AVISO", 3),
            (": 102026-11-26 AVISO", 10),
            (": 026/11/2026 14:05 AVISO", 0),
            (": 9.2026-11-26 AVISO", 9),
        ] {
            assert_eq!(valor(texto), Some(esperado), "{texto}");
        }
        for duvida in [
            ": 314:05:09 AVISO",
            ": 14:05:09 AVISO",
            ": 2026-11-26 AVISO",
            ": 326/11/2026 AVISO",
            ": 31771941909.12 AVISO",
        ] {
            assert_eq!(ler(duvida), Numero::Incerto, "{duvida}");
        }
    }

    #[test]
    fn sem_saber_qual_e_nao_se_escolhe() {
        assert_eq!(ler(" do produto 1 e do 2 é 3 e 4"), Numero::Incerto);
        assert_eq!(ler("-10"), Numero::Certo { valor: -10, fim: 3 });
        assert_eq!(ler(" atual-10"), Numero::Incerto, "traço ou sinal?");
        assert_eq!(ler(": muitos"), Numero::Ausente);
        assert_eq!(ler(": (14:05)"), Numero::Ausente);
    }

    #[test]
    fn o_fim_do_numero_e_onde_ele_termina() {
        assert_eq!(ler(": 3[14:05:09] AVISO"), Numero::Certo { valor: 3, fim: 3 });
        assert_eq!(ler(": 1.010 AVISO"), Numero::Certo { valor: 1010, fim: 7 });
        assert_eq!(ler(": 02026-11-26 AVISO"), Numero::Certo { valor: 0, fim: 3 });
    }

    #[test]
    fn o_que_nao_e_hora_fica() {
        assert_eq!(
            sem_horas("AVISO [14:05:09] de 2026-11-26: restam 3."),
            "AVISO [] de : restam 3."
        );
    }

    proptest! {
        /// Nunca uma leitura errada: ou o número escrito, ou a resposta de que não se sabe.
        #[test]
        fn colado_a_qualquer_coisa_le_o_certo_ou_nada(
            numero in 0i128..20_000,
            enfeite in prop::sample::select(vec!["", " ", ".", "!", "**", "]", " unidades", "\n"]),
            hora in (0u32..24, 0u32..60, 0u32..60),
            formato in 0usize..9,
        ) {
            let (h, m, s) = hora;
            let carimbo = match formato {
                0 => format!("{h:02}:{m:02}:{s:02} AVISO"),
                1 => format!("{h}:{m:02}:{s:02} AVISO"),
                2 => format!("[{h:02}:{m:02}:{s:02}] AVISO"),
                3 => format!("2026-11-26 {h:02}:{m:02}:{s:02} AVISO"),
                4 => format!("26/11/2026 {h:02}:{m:02} AVISO"),
                5 => format!("26/11/26 {h:02}:{m:02} AVISO"),
                6 => "AVISO: acabou".to_owned(),
                7 => format!("({h:02}:{m:02})"),
                _ => String::new(),
            };
            let lido = valor(&format!(": {numero}{enfeite}{carimbo}"));
            prop_assert!(lido.is_none_or(|lido| lido == numero), "{lido:?}");
            if formato >= 6 || formato == 2 {
                prop_assert_eq!(lido, Some(numero));
            }
        }

        #[test]
        fn nenhum_texto_derruba(texto in "\\PC{0,40}") {
            let _ = (ler(&texto), sem_horas(&texto));
        }
    }
}
